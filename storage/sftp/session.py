"""One client's session. Every operation of the protocol is answered here; none is left to the library's own, which
would work on the server's file system."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from asyncssh import (
    FXF_APPEND,
    FXF_CREAT,
    FXF_EXCL,
    FXF_TRUNC,
    FXF_WRITE,
    SFTPAttrs,
    SFTPFileAlreadyExists,
    SFTPName,
    SFTPNoSuchFile,
    SSHServerChannel,
)

from storage.dropped import fault_of
from storage.sftp.closed import Closed, denied, missing, told
from storage.sftp.door import ARCHIVE, ERROR, INBOX, OUTBOX, ROOMS, Offered, Parts, Sender, parts_of
from storage.sftp.house import House
from storage.sftp.readings import Fetched, Lying, Reading
from storage.sftp.spool import Full, Upload, open_locked

_MOST_OPEN = 64
_MOST_REMEMBERED = 1_000


def _folder(mtime: int | None = None) -> SFTPAttrs:
    at = int(time.time()) if mtime is None else mtime
    return SFTPAttrs(permissions=stat.S_IFDIR | 0o755, size=0, atime=at, mtime=at)


def _file(size: int, mtime: int, *, writable: bool = False) -> SFTPAttrs:
    return SFTPAttrs(permissions=stat.S_IFREG | (0o644 if writable else 0o444), size=size, atime=mtime, mtime=mtime)


def _lying(path: Path) -> SFTPAttrs:
    found = path.lstat()
    return _file(found.st_size, int(found.st_mtime), writable=True)


class Session(Closed):
    """What an account sees: ``inbox/KIND/``, ``outbox/BATCH-FILE/``, ``archive/`` and ``error/``.

    A file is taken when its upload was closed by the client. The library closes open files of a broken connection by
    the same method, and then says ``exit`` before anything else can happen; hence the moment between the two.
    """

    def __init__(self, chan: SSHServerChannel[bytes], house: House, sender: Sender, fingerprint: str) -> None:
        super().__init__(chan)
        self._house, self._sender, self._fingerprint = house, sender, fingerprint
        self._spool = house.spool(sender.number)
        self._open = 0
        self._closed: list[Upload] = []
        self._taken: dict[Parts, SFTPAttrs] = {}  # clients look at what they sent once more

    # Opening, reading, writing

    async def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        """Open a file: of the inbox for writing, any other for reading."""
        with told():
            parts = parts_of(path)
            await self._check_welcome()
            if self._open >= _MOST_OPEN:
                raise Full(f"at most {_MOST_OPEN} files are open at a time")
            found = self._upload(parts, pflags) if pflags & FXF_WRITE else await self._reading(parts)
        self._open += 1
        return found

    def _upload(self, parts: Parts, pflags: int) -> Upload:
        kind, name = self._inbox_place(parts)
        self._taken.pop(parts, None)
        return self._spool.open(
            kind,
            name,
            create=bool(pflags & FXF_CREAT),
            truncate=bool(pflags & FXF_TRUNC),
            exclusive=bool(pflags & FXF_EXCL),
            appends=bool(pflags & FXF_APPEND),
        )

    async def _reading(self, parts: Parts) -> Reading:
        if parts[:1] == (ERROR,) and len(parts) == 2:
            return Lying(self._spool.error() / parts[1])
        if parts[:1] == (INBOX,):
            denied()
        found = await self._offered(parts)
        if found is None:
            missing()
        return Fetched(found)

    def _inbox_place(self, parts: Parts) -> tuple[str, str]:
        """The kind and the name of a file of the inbox."""
        if len(parts) != 3 or parts[0] != INBOX or parts[1] not in self._sender.kinds:
            denied()
        return parts[1], parts[2]

    async def _check_welcome(self) -> None:
        user = str(self.connection.get_extra_info("username"))
        if await asyncio.to_thread(self._house.door.sign_in, user, self._fingerprint) is None:
            denied()

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Some bytes of a file that is open for reading."""
        if isinstance(file_obj, Upload):
            denied()
        reading: Reading = file_obj  # type: ignore[assignment]
        with told():
            return await reading.read(offset, size)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Write into a file that is open for writing."""
        if not isinstance(file_obj, Upload):
            denied()
        with told():
            file_obj.write(offset, data)
        return len(data)

    def close(self, file_obj: object) -> None:
        """Close a file. An upload is settled in a moment, unless the session ends before."""
        self._open -= 1
        if isinstance(file_obj, Upload):
            self._closed.append(file_obj)
            asyncio.get_running_loop().call_soon(self._settle, file_obj)
        else:
            file_obj.close()  # type: ignore[attr-defined]

    def _settle(self, upload: Upload) -> None:
        if upload not in self._closed:
            return
        self._closed.remove(upload)
        attrs = _lying(upload.path)
        if self._house.uploaded(self._sender, upload.path.parent.name, upload):
            self._remember((INBOX, upload.path.parent.name, upload.path.name), attrs)

    def _remember(self, parts: Parts, attrs: SFTPAttrs) -> None:
        if len(self._taken) >= _MOST_REMEMBERED:
            del self._taken[next(iter(self._taken))]
        self._taken[parts] = attrs

    def exit(self) -> None:
        """The session ends: what was open a moment ago was not closed by the client and stays as it is."""
        for upload in self._closed:
            upload.close()
        self._closed.clear()
        if not self.channel.is_closing():
            self.channel.exit(0)  # scp takes a session without it for a failed one

    # Looking

    async def _offered(self, parts: Parts) -> Offered | None:
        door = self._house.door
        if parts[:1] == (OUTBOX,) and len(parts) == 3:
            files = await asyncio.to_thread(door.results, self._sender, parts[1])
        elif parts[:1] == (ARCHIVE,) and len(parts) == 2:
            files = await asyncio.to_thread(door.archive, self._sender, parts[1])
        else:
            return None
        return next((one for one in files if one.name == parts[-1]), None)

    async def _attrs(self, path: bytes) -> SFTPAttrs:
        with told():
            parts = parts_of(path)
            if not parts or (len(parts) == 1 and parts[0] in ROOMS):
                return _folder()
            if parts[0] == INBOX and parts[1] in self._sender.kinds:
                return _folder() if len(parts) == 2 else self._inbox_attrs(parts)
            if parts[0] == ERROR and len(parts) == 2:
                return _lying(self._spool.error() / parts[1])
            if parts[0] == OUTBOX and len(parts) == 2:
                found = await asyncio.to_thread(self._house.door.results, self._sender, parts[1])
                return _folder(found[0].mtime) if found else missing()
            offered = await self._offered(parts)
            return _file(offered.size, offered.mtime) if offered else missing()

    def _inbox_attrs(self, parts: Parts) -> SFTPAttrs:
        if len(parts) > 3:
            missing()
        path = self._spool.inbox(parts[1]) / parts[2]
        if parts in self._taken and not path.exists():
            return self._taken[parts]
        return _lying(path)

    async def stat(self, path: bytes) -> SFTPAttrs:
        """What a path is."""
        return await self._attrs(path)

    async def lstat(self, path: bytes) -> SFTPAttrs:
        """The same: there are no links."""
        return await self._attrs(path)

    def fstat(self, file_obj: object) -> SFTPAttrs:
        """What an open file is."""
        if isinstance(file_obj, Upload):
            found = os.fstat(file_obj.descriptor)
            return _file(found.st_size, int(found.st_mtime), writable=True)
        reading: Reading = file_obj  # type: ignore[assignment]
        return _file(reading.size, reading.mtime)

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """What is in a folder."""
        with told():
            await self._check_welcome()
            found = await self._listing(parts_of(path))
        for name, attrs in [(".", _folder()), ("..", _folder()), *found]:
            yield SFTPName(name.encode(), attrs=attrs)

    async def _listing(self, parts: Parts) -> list[tuple[str, SFTPAttrs]]:
        door, sender = self._house.door, self._sender
        match parts:
            case ():
                return [(name, _folder()) for name in ROOMS]
            case ("inbox",):
                return [(kind, _folder()) for kind in sender.kinds]
            case ("inbox", kind) if kind in sender.kinds:
                return _lying_in(self._spool.inbox(kind))
            case ("error",):
                return [one for one in _lying_in(self._spool.error()) if not one[0].startswith(".")]
            case ("outbox",):
                return [(one.name, _folder(one.mtime)) for one in await asyncio.to_thread(door.outbox, sender)]
            case ("outbox", folder):
                files = await asyncio.to_thread(door.results, sender, folder)
            case ("archive",):
                files = await asyncio.to_thread(door.archive, sender)
            case _:
                missing()
        return [(one.name, _file(one.size, one.mtime)) for one in files] or ([] if parts[1:] == () else missing())

    def realpath(self, path: bytes) -> bytes:
        """The path from the account's own root."""
        with told():
            return ("/" + "/".join(parts_of(path))).encode()

    def format_user(self, uid: int | None) -> str:
        """Nobody's name: the server's users are no business of a client's."""
        return "-"

    def format_group(self, gid: int | None) -> str:
        """Nobody's name."""
        return "-"

    # Changing

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a file of the inbox another name, which no other file has."""
        self._rename(oldpath, newpath, replaces=False)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a file of the inbox another name, also another's."""
        self._rename(oldpath, newpath, replaces=True)

    def _rename(self, oldpath: bytes, newpath: bytes, *, replaces: bool) -> None:
        with told():
            old, new = parts_of(oldpath), parts_of(newpath)
            (old_kind, old_name), (kind, name) = self._inbox_place(old), self._inbox_place(new)
            source, target = self._spool.inbox(old_kind) / old_name, self._spool.inbox(kind) / name
            if target.exists() and not replaces:
                raise SFTPFileAlreadyExists("there is a file of this name")
            descriptor = open_locked(source)
            try:
                if target.exists() and target != source:
                    os.close(open_locked(target))  # nobody is at work on it
                source.rename(target)
                attrs, fault = _lying(target), fault_of(target)
            except BaseException:
                os.close(descriptor)
                raise
            if self._house.arrived(self._sender, kind, name, descriptor, fault):
                self._remember(new, attrs)

    def remove(self, path: bytes) -> Any:
        """Delete a file of the inbox or the error folder; put one of the outbox out of sight."""
        with told():
            parts = parts_of(path)
            if parts[:1] == (OUTBOX,) and len(parts) == 3:
                return self._hide(parts[1], parts[2])
            if parts[:1] == (ERROR,) and len(parts) == 2:
                (self._spool.error() / parts[1]).unlink()
            else:
                kind, name = self._inbox_place(parts)
                descriptor = open_locked(self._spool.inbox(kind) / name)
                (self._spool.inbox(kind) / name).unlink()
                os.close(descriptor)
        return None

    async def rmdir(self, path: bytes) -> None:
        """Put a folder of the outbox out of sight; no other one can be removed."""
        with told():
            parts = parts_of(path)
            if parts[:1] != (OUTBOX,) or len(parts) != 2:
                denied()
            await self._hide(parts[1])

    async def _hide(self, folder: str, name: str | None = None) -> None:
        door = self._house.door
        files = await asyncio.to_thread(door.results, self._sender, folder)
        names = [one.name for one in files if name in (None, one.name)]
        if not names:
            missing()
        await asyncio.to_thread(door.hide, self._sender, folder, names)

    async def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Folders are given: those of kinds exist, others cannot be made."""
        try:
            await self._attrs(path)
        except (SFTPNoSuchFile, OSError):
            denied()
        raise SFTPFileAlreadyExists("it is there")

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """Set the time of a file of the inbox; modes are ignored, everything else is refused."""
        with told():
            parts = parts_of(path)
            kind, name = self._inbox_place(parts)
            if attrs.size is not None or attrs.uid is not None or attrs.owner is not None:
                denied()
            target = self._spool.inbox(kind) / name
            if parts in self._taken and not target.exists():
                return
            if attrs.mtime is not None:
                os.utime(target, (int(attrs.mtime), int(attrs.mtime)), follow_symlinks=False)
            else:
                target.lstat()

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        """The same: there are no links."""
        self.setstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        """Set the time of an upload, or cut it short; modes are ignored."""
        if not isinstance(file_obj, Upload) or attrs.uid is not None or attrs.owner is not None:
            denied()
        with told():
            if attrs.size is not None:
                file_obj.cut(attrs.size)
            if attrs.mtime is not None:
                os.utime(file_obj.descriptor, (int(attrs.mtime), int(attrs.mtime)))

    def fsync(self, file_obj: object) -> None:
        """Force an upload to the disk."""
        if isinstance(file_obj, Upload):
            os.fsync(file_obj.descriptor)


def _lying_in(folder: Path) -> list[tuple[str, SFTPAttrs]]:
    found = []
    for path in sorted(folder.iterdir()):
        try:
            found.append((path.name, _lying(path)))
        except FileNotFoundError:  # taken at this moment
            continue
    return found
