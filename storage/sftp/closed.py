"""What no client may do, and how what is wrong is told: in the words of the protocol, never with a path of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from asyncssh import SFTPAttrs, SFTPFailure, SFTPNoSuchFile, SFTPOpUnsupported, SFTPPermissionDenied, SFTPServer

from storage.sftp.door import BadPath
from storage.sftp.readings import Unreadable
from storage.sftp.spool import Busy, Full


@contextmanager
def told() -> Iterator[None]:
    """Turn what is wrong into an answer of the protocol."""
    try:
        yield
    except BadPath as problem:
        raise SFTPNoSuchFile("no file can have such a name") from problem
    except Busy as problem:
        raise SFTPPermissionDenied("another session is at work on the file") from problem
    except (Full, Unreadable) as problem:
        raise SFTPFailure(str(problem)) from problem


def denied() -> NoReturn:
    """Answer that it is not allowed."""
    raise SFTPPermissionDenied("not allowed here")


def missing() -> NoReturn:
    """Answer that there is no such file."""
    raise SFTPNoSuchFile("no such file")


class Closed(SFTPServer):
    """A server that refuses what the library would do on a file system."""

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: SFTPAttrs) -> object:
        """A later version of the protocol, which is not spoken."""
        raise SFTPOpUnsupported("not offered")

    def readlink(self, path: bytes) -> bytes:
        """There are no links."""
        raise SFTPOpUnsupported("not offered")

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """There are no links."""
        denied()

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        """There are no links."""
        denied()

    def lock(self, file_obj: object, offset: int, length: int, flags: int) -> None:
        """No locks for clients."""
        raise SFTPOpUnsupported("not offered")

    def unlock(self, file_obj: object, offset: int, length: int) -> None:
        """No locks for clients."""
        raise SFTPOpUnsupported("not offered")

    def statvfs(self, path: bytes) -> NoReturn:
        """The server's disks are no business of a client's."""
        raise SFTPOpUnsupported("not offered")

    def fstatvfs(self, file_obj: object) -> NoReturn:
        """The server's disks are no business of a client's."""
        raise SFTPOpUnsupported("not offered")

    def map_path(self, path: bytes) -> NoReturn:
        """No path of a client is one of the server's."""
        denied()

    def reverse_map_path(self, path: bytes) -> NoReturn:
        """No path of the server's is told."""
        denied()
