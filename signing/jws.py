"""Reads JWS compact tokens (RFC 7515) of a pinned type that one of a set of Ed25519 keys signed (RFC 8037).

Keys, certificates and addresses that a token names itself (``jwk``, ``x5c``, ``jku``, ``x5u``) are never looked at.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import InvalidSignature

from signing.key_sets import KeySet, decoded_base64url
from signing.tokens import ALGORITHM


class BadToken(Exception):
    """A token that is refused: malformed, wrong_algorithm, wrong_type, unknown_key or bad_signature, and which one."""

    def __init__(self, code: str, detail: object = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


def signed_claims(token: str, keys: KeySet, type_: str) -> dict[str, Any]:
    """The claims of a token that is well formed, of this type and signed by a key. Raises :class:`BadToken`."""
    try:
        head, body, mark = token.split(".")
        header = _json_object(decoded_base64url(head))
        signature = decoded_base64url(mark)
        signed = f"{head}.{body}".encode("ascii")
    except (ValueError, RecursionError):
        raise BadToken("malformed") from None
    if header.get("alg") != ALGORITHM:
        raise BadToken("wrong_algorithm", header.get("alg"))
    if header.get("typ") != type_:
        raise BadToken("wrong_type", header.get("typ"))
    if "crit" in header:
        raise BadToken("malformed")
    kid = header.get("kid")
    if not isinstance(kid, str) or kid not in keys:
        raise BadToken("unknown_key", kid)
    try:
        keys[kid].verify(signature, signed)
    except InvalidSignature:
        raise BadToken("bad_signature") from None
    try:
        return _json_object(decoded_base64url(body))
    except (ValueError, RecursionError):
        raise BadToken("malformed") from None


def _json_object(octets: bytes) -> dict[str, Any]:
    """A JSON object without a member named twice. Raises ``ValueError``."""
    found = json.loads(octets.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
