"""Finding license keys in files: what is found, and that no file at all does harm."""

from __future__ import annotations

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from hypothesis import example, given
from hypothesis import strategies as st

from signing import license_texts as texts
from signing.license_files import BEGIN, END, license_file
from signing.tokens import Signer
from signing.verification import LONGEST_LICENSE
from tests.signing.samples import PLAIN

TOKEN = Signer("kid", bytes(32), "iss").sign_many([PLAIN])[0]
FILE = license_file(TOKEN, PLAIN)


def found(content: bytes) -> list[tuple[str, str]]:
    """Everything found in a file with this content."""
    return [(place, text) for place, text in texts.license_texts(BytesIO(content))]


def zipped() -> bytes:
    """A ZIP with two license files."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.lic", FILE)
        archive.writestr("b.lic", FILE * 3)
    return file.getvalue()


ZIPPED = zipped()


def test_keys_and_license_files_are_found_with_their_lines() -> None:
    """A text with both: each once, in order; the key inside a license file is not found a second time."""
    text = f"one;{TOKEN}\n\n{FILE}two;{TOKEN},{TOKEN}\n"
    lines_of_file = FILE.count("\n")
    after = str(3 + lines_of_file)
    assert found(text.encode()) == [("1", TOKEN), ("3", FILE), (after, TOKEN), (after, TOKEN)]


def test_a_license_file_that_is_cut_off_is_given_as_it_is() -> None:
    """Whoever verifies must hear of it: a block that ends with the text, or where the next one begins."""
    cut = FILE.replace(f"{END}\n", "")
    assert found((cut + FILE).encode()) == [("1", cut), (str(1 + cut.count("\n")), FILE)]
    assert found(cut.encode()) == [("1", cut)]


def test_a_text_without_keys_has_none() -> None:
    """Prose, other tokens and an empty file hold no license key."""
    assert found(b"") == found(b"eyJ only.looks like one") == found(f"an end {END} and a begin {BEGIN}".encode()) == []


def test_an_entry_of_a_zip_is_read_no_further_than_a_license_is_long() -> None:
    """A bomb costs no more memory than a long license, and is too long to be one."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("bomb.lic", bytes(20_000_000))
    ((place, text),) = found(file.getvalue())
    assert (place, len(text)) == ("bomb.lic", LONGEST_LICENSE + 1)


def test_a_key_behind_a_very_long_line_is_found() -> None:
    """Lines over the limit are looked at in pieces, and the text after them as ever."""
    long = "x" * (texts.LONGEST_LINE * 2)
    assert [text for _, text in found(f"{long}\n{TOKEN}\n".encode())] == [TOKEN]


@given(st.binary() | st.text().map(lambda text: text.encode("utf-16", "surrogatepass")))
@example(b"PK\x05\x06" + bytes(18))
@example(b"\xff\xfe\x00")
def test_any_file_is_looked_through(content: bytes) -> None:
    """Whatever the bytes, looking through them ends without an exception."""
    found(content)


@given(st.lists(st.tuples(st.integers(0, len(ZIPPED) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@example([(ZIPPED.index(b"PK\x01\x02") + 6, 255)])  # "needs version 25.5 to extract"
def test_any_damage_to_a_zip_is_survived(damage: list[tuple[int, int]]) -> None:
    """A ZIP with bytes changed anywhere gives what can be read of it, and never an exception."""
    content = bytearray(ZIPPED)
    for place, value in damage:
        content[place] = value
    found(bytes(content))
