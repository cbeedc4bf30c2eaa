"""Passwords of people: argon2id hashes. The home of argon2."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from jobs.refusals import Refused

SHORTEST, LONGEST = 12, 200  # characters
_HASHER = PasswordHasher()  # argon2id with the parameters that RFC 9106 recommends for little memory
# The hash of a random password, forgotten: checking one of an unknown user takes as long as of a known one.
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$TPa7ENY7rlvz4284w79sFg$mtFuJm98YILjfW48WVUdurEIGPkW1brGfEUdUj8GRqQ"


def hashed(password: str) -> str:
    """The hash to keep of a password. Raises :class:`Refused` for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            "bad_password",
            f"A password has {SHORTEST} to {LONGEST} characters; a sentence is a good one.",
            f"Una password ha da {SHORTEST} a {LONGEST} caratteri; una frase va bene.",
        )
    return _HASHER.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed. Takes as long when there is no hash."""
    if len(password) > LONGEST:
        return False
    try:
        return _HASHER.verify(password_hash or NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether it was hashed with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
