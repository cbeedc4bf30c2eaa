"""What reading a workbook raises, as the refusal of a file: errors of libraries, panics of the Rust code in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import python_calamine
import python_calamine_plus

from importers import ole
from importers.contracts import Limits
from importers.refusals import UnreadableFile, refusal

_ERRORS = (
    python_calamine.CalamineError,
    python_calamine_plus.CalamineError,
    ole.BrokenContainer,
    OSError,
    ValueError,
    IndexError,
    struct.error,
)
_PASSWORDS = (python_calamine.PasswordError, python_calamine_plus.PasswordError)
_SHOWN_CHARACTERS = 100


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what a library raises within into :class:`UnreadableFile`."""
    try:
        yield
    except _ERRORS as error:
        raise _refusal(error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a BaseException that has no importable class
            raise
        raise _refusal(error) from error


def _refusal(error: BaseException) -> UnreadableFile:
    if isinstance(error, _PASSWORDS):
        return refusal("encrypted")
    if "Cell limit exceeded" in str(error):
        return refusal("too_many_cells", most=Limits().cells)
    return refusal("corrupt", detail=" ".join(str(error).split())[:_SHOWN_CHARACTERS])
