"""License files: the token comes back from whatever a mail program or an editor made of the file."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signing.key_sets import KeySet
from signing.license_files import BEGIN, END, NotALicenseFile, license_file, read_license_file
from signing.tokens import LicenseClaims, Signer
from signing.verification import verify
from tests.signing.samples import CLAIMS, NOW, PLAIN

WAYS: dict[str, Callable[[str], str]] = {
    "as written": lambda text: text,
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "old Mac line ends": lambda text: text.replace("\n", "\r"),
    "byte order mark": lambda text: "\ufeff" + text,
    "indented": lambda text: "".join(f"\t  {line}\n" for line in text.splitlines()),
    "spaces at line ends": lambda text: text.replace("\n", "  \n"),
    "blank lines between": lambda text: text.replace("\n", "\n\n"),
    "no line end at the end": lambda text: text.rstrip("\n"),
    "a letter around it": lambda text: f"Dear customer: here it is.\n\n{text}\nKind regards: us\n",
    "no readable lines": lambda text: "\n".join([BEGIN, *text.split("\n\n")[1].splitlines()]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("claims", CLAIMS, ids=lambda claims: claims.license_number)
def test_a_license_file_is_verified_however_it_arrives(
    way: str, claims: LicenseClaims, signer: Signer, keys: KeySet
) -> None:
    """Line ends, marks, indentation and text around the block do not matter."""
    token = signer.sign_many([claims])[0]
    arrived = WAYS[way](license_file(token, claims, "Rossi S.p.A.\nEvil: line\r\n-----END LICENSE-----"))
    assert read_license_file(arrived) == token
    assert verify(arrived, keys, now=NOW).valid


@given(company=st.text(), host=st.none() | st.text(), sku=st.text(), token=st.from_regex(r"[\w.-]+", fullmatch=True))
def test_no_text_in_a_license_can_break_its_file(company: str, host: str | None, sku: str, token: str) -> None:
    """Whatever a company, host or product is called, the file has its lines and gives its token back."""
    token = "".join(char for char in token if char.isascii()) or "t"
    text = license_file(token, PLAIN._replace(host=host, sku=sku), company)
    assert read_license_file(text) == token
    lines = text.splitlines()
    assert (lines[0], lines[9], lines[-1]) == (BEGIN, "", END)
    assert [line.partition(":")[0] for line in lines[1:9]] == [
        *("License", "Product", "Version", "Quantity", "Customer", "Host", "Valid until", "Issued"),
    ]


def test_a_person_can_read_what_is_licensed() -> None:
    """The lines above the token say what the token says, with the last day that the result file gives."""
    bound = PLAIN._replace(host="00:1A:2B", expires_at=1_795_651_200, issued_at=1_795_600_000)
    assert license_file("token", bound, "Rossi S.p.A.").split("\n\n")[0].splitlines() == [
        BEGIN,
        "License: KML-1",
        "Product: PRO",
        "Version: 2.1",
        "Quantity: 1",
        "Customer: KMC-CUST Rossi S.p.A.",
        "Host: 00:1A:2B",
        "Valid until: 2026-11-25",
        "Issued: 2026-11-25",
    ]
    perpetual = license_file("token", PLAIN._replace(expires_at=None))
    assert "Valid until: perpetual\n" in perpetual
    assert "Host: any\n" in perpetual
    assert "Customer: KMC-CUST\n" in perpetual


def test_lines_are_short_enough_for_mail(signer: Signer) -> None:
    """The token is cut into lines of at most 64 characters."""
    token = signer.sign_many([PLAIN])[0]
    lines = license_file(token, PLAIN).split("\n\n")[1].splitlines()[:-1]
    assert max(map(len, lines)) == 64
    assert all(len(line) == 64 for line, _ in pairwise(lines))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token",
        f"{BEGIN}\ntoken\n",
        f"token\n{END}\n",
        f"{END}\ntoken\n{BEGIN}\n",
        f"{BEGIN}\na\n{END}\n{BEGIN}\nb\n{END}\n",
        f"{BEGIN}\n{BEGIN}\na\n{END}\n",
        f"x{BEGIN}\na\n{END}\n",
    ],
)
def test_a_text_without_one_whole_block_is_no_license_file(text: str) -> None:
    """A block cut off, turned round or doubled is refused, and verify says so too."""
    with pytest.raises(NotALicenseFile, match="BEGIN LICENSE"):
        read_license_file(text)
    assert verify(text, {}, now=NOW).code == "not_a_license"


def test_only_the_token_counts(signer: Signer, keys: KeySet) -> None:
    """Changed readable lines change nothing of what is verified and shown."""
    text = license_file(signer.sign_many([PLAIN])[0], PLAIN).replace("Quantity: 1", "Quantity: 1000")
    assert verify(text, keys, now=NOW).claims["lic"]["qty"] == 1
