"""One call of a webhook: the only place that sends HTTP requests. It follows no redirect and never waits for long.

The host is resolved once, its addresses are checked, and the connection goes to one of these; the certificate is still
checked against the host's name.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import httpx

from jobs import addresses
from jobs.addresses import NotPublic

TOTAL_SECONDS = 20.0  # from the look-up of the name to the last byte of the answer
CONNECT_SECONDS = 5.0  # for each address
MOST_ANSWER_BYTES = 65_536


class Reply(NamedTuple):
    """What an endpoint answered: the HTTP status, None where there was none, and the body's beginning or the reason."""

    status: int | None
    text: str


@cache
def certificates() -> ssl.SSLContext:
    """The machine's trusted certificates (``SSL_CERT_FILE`` names others), read once."""
    return ssl.create_default_context()


def post(url: str, headers: Mapping[str, str], body: bytes, *, private_too: bool) -> Reply:
    """Send a body once. Never raises for what the other side does."""
    try:
        return asyncio.run(_within_limits(httpx.URL(url), headers, body, private_too))
    except TimeoutError:
        return Reply(None, f"no answer within {TOTAL_SECONDS:.0f} seconds")
    except (httpx.HTTPError, httpx.InvalidURL, NotPublic, OSError, UnicodeError) as problem:
        return Reply(None, str(problem) or type(problem).__name__)


async def _within_limits(url: httpx.URL, headers: Mapping[str, str], body: bytes, private_too: bool) -> Reply:
    async with asyncio.timeout(TOTAL_SECONDS):
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        found = await addresses.resolve(url.raw_host.decode().strip("[]"), port, private_too=private_too)
        limits = httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS)
        # trust_env: a proxy of the environment would resolve the name anew.
        async with httpx.AsyncClient(verify=certificates(), timeout=limits, trust_env=False) as client:
            for address in found:
                try:
                    return await _send(client, url, address, headers, body)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if address == found[-1]:
                        raise
    raise AssertionError("there is at least one address")


async def _send(
    client: httpx.AsyncClient, url: httpx.URL, address: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    request = client.build_request(
        "POST",
        url.copy_with(host=address),
        content=body,
        headers={"host": url.netloc.decode(), "accept-encoding": "identity", **headers},
        extensions={"sni_hostname": url.raw_host.decode()},
    )
    response = await client.send(request, stream=True, follow_redirects=False)
    try:
        answer = b""
        async for block in response.aiter_raw():
            answer += block
            if len(answer) >= MOST_ANSWER_BYTES:
                break
        return Reply(response.status_code, answer[:MOST_ANSWER_BYTES].decode(errors="replace"))
    finally:
        await response.aclose()
