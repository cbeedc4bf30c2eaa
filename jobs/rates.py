"""How often somebody may ask: counted in Redis, a minute at a time. Where Redis is away, everybody may."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import NamedTuple

import redis
import structlog

log = structlog.get_logger("keymill.rates")
WINDOW_SECONDS = 60
_PATIENCE_SECONDS = 0.5  # for an answer of Redis
_PAUSE_SECONDS = 5.0  # without asking it again after it did not answer
_away_until = dict[str, float]()


class Rate(NamedTuple):
    """What is left of a quota, and in how many seconds it is full again."""

    quota: int
    left: int
    reset_seconds: int

    @property
    def is_over(self) -> bool:
        """Whether there was nothing left for this request."""
        return self.left < 0


@lru_cache
def connect(redis_url: str) -> redis.Redis:
    """The client of a Redis URL, one for each process. Connects at first use."""
    return redis.Redis.from_url(redis_url, socket_timeout=_PATIENCE_SECONDS, socket_connect_timeout=_PATIENCE_SECONDS)


def count(redis_url: str, who: str, quota: int) -> Rate:
    """Count one request of somebody in this minute."""
    now = time.time()
    window = int(now // WINDOW_SECONDS)
    reset = WINDOW_SECONDS - int(now % WINDOW_SECONDS)
    if now < _away_until.get(redis_url, 0):
        return Rate(quota, quota, reset)
    key = f"keymill:rate:{who}:{window}"
    try:
        pipeline = connect(redis_url).pipeline()
        pipeline.incr(key)
        pipeline.expire(key, 2 * WINDOW_SECONDS)
        used, _ = pipeline.execute()
    except redis.RedisError as error:
        _away_until[redis_url] = now + _PAUSE_SECONDS
        log.warning("redis is away, requests are not counted", error=str(error))
        return Rate(quota, quota, reset)
    return Rate(quota, quota - int(used), reset)
