"""Requests are counted a minute at a time, and not at all while Redis is away."""

from __future__ import annotations

import time

import pytest
import redis

from jobs import rates


def test_a_quota_is_used_up(valkey_url: str, monkeypatch: pytest.MonkeyPatch):
    """Each request takes one; the next minute begins anew; others have their own."""
    now = 6_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    found = [rates.count(valkey_url, "one", 2) for _ in range(3)]
    assert [rate.left for rate in found] == [1, 0, -1]
    assert [rate.is_over for rate in found] == [False, False, True]
    assert {rate.reset_seconds for rate in found} == {60}
    assert rates.count(valkey_url, "two", 2).left == 1
    now += 59
    assert rates.count(valkey_url, "one", 2).reset_seconds == 1
    now += 1
    assert rates.count(valkey_url, "one", 2).left == 1


def test_nobody_is_kept_out_while_redis_is_away(monkeypatch: pytest.MonkeyPatch):
    """It is asked once, then left alone for some seconds: requests do not wait for it."""
    away = "redis://127.0.0.1:1/0"
    asked = []

    def client(url: str) -> redis.Redis:
        asked.append(url)
        return redis.Redis.from_url(url)

    monkeypatch.setattr(rates, "connect", client)
    found = [rates.count(away, "one", 2) for _ in range(5)]
    assert [(rate.left, rate.is_over) for rate in found] == [(2, False)] * 5
    assert asked == [away]
