"""Every format with the function that opens it. A new format is one module and one line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from importers.contracts import Limits, Source, Wanted
from importers.delimited import open_delimited
from importers.web_register_keys import open_web_register_keys
from importers.workbooks import open_ods, open_xls, open_xlsb
from importers.xlsx import open_xlsx

READERS: dict[str, Callable[[Path, Wanted, Limits], Source]] = {
    "xlsx": open_xlsx,
    "xlsm": open_xlsx,
    "xls": open_xls,
    "xlsb": open_xlsb,
    "ods": open_ods,
    "xml": open_web_register_keys,
    "csv": open_delimited,
}
