"""SSH keys that the account signs in with by SFTP, for those who manage it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from jobs import ssh_keys
from jobs.refusals import Refused
from models.ssh_keys import SshKey
from web.callers import Keeper

router = APIRouter(prefix="/ssh-keys", tags=["ssh-keys"])


class Key(BaseModel):
    """A public key. It counts while it is not revoked."""

    key: int
    account: str
    fingerprint: str
    public_key: str
    comment: str
    added: datetime
    last_used: datetime | None
    revoked: datetime | None


class NewKey(BaseModel):
    """A key to be added."""

    public_key: str = Field(
        min_length=1, max_length=20_000, description="As OpenSSH writes it: a file that ends in .pub."
    )
    comment: str | None = Field(default=None, max_length=100, description="Left out: what stands in the file.")


class KeyList(BaseModel):
    """The account's keys, oldest first."""

    keys: list[Key]


@router.get("", operation_id="list_ssh_keys")
def listed(caller: Keeper) -> KeyList:
    """The account's keys, with when each was last used."""
    return KeyList(keys=[_shown(one) for one in ssh_keys.list_keys(caller.seen, caller.account)])


@router.post("", operation_id="add_ssh_key", status_code=201)
def add(new: NewKey, caller: Keeper) -> Key:
    """Let the account sign in by SFTP with another key."""
    return _shown(ssh_keys.add(caller.app, caller.account, new.public_key, actor=caller.actor, comment=new.comment))


@router.delete("/{key}", operation_id="revoke_ssh_key", status_code=204, response_class=Response)
def revoke(key: Annotated[int, Path(ge=1, le=2**63 - 1)], caller: Keeper) -> None:
    """Revoke a key for good; who is signed in with it can do nothing more. Revoking twice is the same as once."""
    found = next((one for one in ssh_keys.list_keys(caller.seen, caller.account) if one.id == key), None)
    if found is None:
        raise Refused("unknown_ssh_key", f"The account has no key {key}.", f"L'account non ha la chiave {key}.")
    ssh_keys.revoke(caller.app, found.fingerprint, actor=caller.actor)


def _shown(key: SshKey) -> Key:
    return Key(
        key=key.id,
        account=key.account,
        fingerprint=key.fingerprint,
        public_key=key.public_key,
        comment=key.comment,
        added=key.added_at,
        last_used=key.last_used_at,
        revoked=key.revoked_at,
    )
