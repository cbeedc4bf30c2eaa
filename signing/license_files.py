"""The ``.lic`` file: a license key between BEGIN and END lines, with lines above it that a person can read.

Only the token counts. The readable lines are a courtesy, and what is checked and shown afterwards is the token.
"""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import wrap

from licensing.parsing import printable
from licensing.terms import last_day_of
from signing.tokens import LicenseClaims

BEGIN = "-----BEGIN LICENSE-----"
END = "-----END LICENSE-----"
_LINE_LENGTH = 64


class NotALicenseFile(ValueError):
    """A text without exactly one block between BEGIN LICENSE and END LICENSE lines."""


def _one_line(value: str) -> str:
    """A value with every line break, control and invisible character made a space, so that it cannot add lines."""
    return printable(value).strip()


def shown_last_day(expires_at: int) -> str:
    """The last day on which a license with this ``exp`` may be used, for a person: the day that a result file gives."""
    return str(last_day_of(expires_at) or expires_at)


def license_file(token: str, claims: LicenseClaims, company: str = "") -> str:
    """The ``.lic`` text of a token; ``company`` is shown beside the customer's number."""
    lines = [
        ("License", claims.license_number),
        ("Product", claims.sku),
        ("Version", claims.version),
        ("Quantity", str(claims.quantity)),
        ("Customer", f"{claims.customer_number} {company}"),
        ("Host", "any" if claims.host is None else claims.host),
        ("Valid until", "perpetual" if claims.expires_at is None else shown_last_day(claims.expires_at)),
        ("Issued", f"{datetime.fromtimestamp(claims.issued_at, UTC).date()}"),
    ]
    readable = [f"{name}: {_one_line(value)}" for name, value in lines]
    return "\n".join([BEGIN, *readable, "", *wrap(token, _LINE_LENGTH, break_on_hyphens=False), END, ""])


def read_license_file(text: str) -> str:
    """The token of a ``.lic`` text, as a mail program or an editor may have left it: indented, with CRLF or a BOM.

    Raises :class:`NotALicenseFile`.
    """
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    if lines.count(BEGIN) != 1 or lines.count(END) != 1 or lines.index(BEGIN) > lines.index(END):
        raise NotALicenseFile("no single block between BEGIN LICENSE and END LICENSE lines")
    block = lines[lines.index(BEGIN) + 1 : lines.index(END)]
    readable = [place for place, line in enumerate(block) if ":" in line]
    return "".join(block[readable[-1] + 1 if readable else 0 :])
