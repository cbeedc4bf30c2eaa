"""Which addresses may be called: no form of a private one, whatever a name leads to."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.addresses import NotPublic, is_public, resolve

PUBLIC = ["8.8.8.8", "1.1.1.1", "193.205.80.1", "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"]
PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::8.8.8.8", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1", "2002:808:808::1",
    "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str):
    """Of both versions of IP."""
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_else_may_be_called(address: str):
    """Private, loopback, link-local, shared, multicast, reserved, unspecified, documentation, tunnels."""
    assert not is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_what_it_is_in_every_dress(number: int):
    """Mapped into IPv6 or translated by NAT64 it is as public as it is by itself."""
    expected = is_public(str(IPv4Address(number)))
    assert is_public(str(IPv6Address((0xFFFF << 32) | number))) == expected
    assert is_public(str(IPv6Address((0x64FF9B << 96) | number))) == expected
    assert not is_public(str(IPv6Address(number)))


def found(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name lead to these addresses."""

    def answer(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_only_the_public_addresses_of_a_name_are_called(monkeypatch: pytest.MonkeyPatch):
    """A name that leads to a private address as well gives only the public one; in a laboratory, both."""
    found(monkeypatch, "10.0.0.1", "8.8.8.8", "8.8.8.8")
    assert asyncio.run(resolve("mixed.example", 443, private_too=False)) == ["8.8.8.8"]
    assert asyncio.run(resolve("mixed.example", 443, private_too=True)) == ["10.0.0.1", "8.8.8.8"]


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch):
    """The refusal names the host and where it leads."""
    found(monkeypatch, "::ffff:169.254.169.254")
    with pytest.raises(NotPublic, match=r"inner\.example .*169\.254\.169\.254"):
        asyncio.run(resolve("inner.example", 443, private_too=False))


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "localhost"])
def test_odd_spellings_of_this_machine_are_seen_through(host: str):
    """The check is on what the resolver makes of a host, not on how it is written."""
    with pytest.raises(NotPublic):
        asyncio.run(resolve(host, 80, private_too=False))
