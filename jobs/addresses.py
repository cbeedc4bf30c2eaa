"""Which addresses a webhook may be sent to: public ones, found once, so that nobody can change them in between."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NAT64 = IPv6Network("64:ff9b::/96")
# What Python's library calls global, or does not know: IPv4 in IPv6 of the old form, a local prefix of NAT64, tunnels
# (6to4 with its relays, Teredo), site-local addresses, examples of documentation.
_NEVER = tuple(
    map(
        ip_network,
        ("::/96", "64:ff9b:1::/48", "2002::/16", "192.88.99.0/24", "2001::/32", "fec0::/10", "3fff::/20"),
    )
)


class NotPublic(Exception):
    """A host that has no public address; its message names the host."""


def is_public(text: str) -> bool:
    """Whether an IP address leads to the public internet, also one that hides an IPv4 address in IPv6."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        hidden = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.ipv4_mapped
        address = hidden or address
    return (
        address.is_global
        and not (address.is_multicast or address.is_unspecified or address.is_reserved)
        and not any(address in network for network in _NEVER)
    )


async def resolve(host: str, port: int, *, private_too: bool) -> list[str]:
    """The addresses of a host that may be called, in the order of the resolver.

    Raises :class:`NotPublic` where none may, ``OSError`` where the name is not known.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [address for address in addresses if private_too or is_public(address)]
    if not allowed:
        raise NotPublic(f"{host} has no public address ({', '.join(addresses)})")
    return allowed
