"""``keymill verify``: checks license keys offline, with nothing but the public key set."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NamedTuple

import typer

from cli.output import Json, Lang, Output, Refused, read_file, speak

if TYPE_CHECKING:
    from signing.key_sets import KeySet
    from signing.revocations import RevocationList
    from signing.verification import Verdict

KEY_SET_NAMES = ("keys.json", "jwks.json")


class Checked(NamedTuple):
    """One license key: where it was found, and the verdict on it."""

    place: str
    verdict: Verdict


def verify(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|KEY...", help="License files, ZIPs of them, texts, keys; - for standard input."),
    ],
    jwks: Annotated[
        Path | None,
        typer.Option("--jwks", help="Public key set; default: keys.json in KEYMILL_HOME or beside the file."),
    ] = None,
    revocations: Annotated[
        Path | None, typer.Option("--revocations", help="Signed list of licenses that were revoked or replaced.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Name only keys that are not valid.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Verify license keys offline: .lic files, ZIPs of them, result files as CSV, any text with keys in it."""
    out = speak(as_json, lang)
    found = checked(sources, jwks, None if revocations is None else _ended(revocations, jwks, out))
    first = list(islice(found, 2))
    counts: Counter[str] = Counter()
    shown = []
    for one in chain(first, found):
        counts[one.verdict.code] += 1
        if quiet and one.verdict.valid:
            continue
        if as_json:
            shown.append(_facts(one, out))
        elif len(first) > 1:
            out.line(_line(one, out))
    if len(first) == 1:
        _tell_one(first[0], out, shown)
    else:
        _tell_totals(counts, out, shown)


def checked(sources: Sequence[str], jwks: Path | None, ended: RevocationList | None = None) -> Iterator[Checked]:
    """The verdict on every license key in files, on standard input or given as they are. Raises :class:`Refused`."""
    from signing.license_texts import license_texts
    from signing.verification import verify

    now = time.time()
    for source in sources:
        opened = _opened(source)
        if opened is None:
            yield Checked("", verify(source, key_set(jwks, None), now=now, ended=ended))
            continue
        empty = True
        with opened as file:
            keys = key_set(jwks, None if source == "-" else Path(source).absolute().parent)
            for place, text in license_texts(file):
                empty = False
                yield Checked(f"{source}:{place}", verify(text, keys, now=now, ended=ended))
        if empty:
            yield Checked(source, verify("", keys, now=now))


def _ended(path: Path, jwks: Path | None, out: Output) -> RevocationList:
    """The revocation list in a file; says how old it is. Raises :class:`Refused`."""
    from signing.revocations import BadRevocationList, read_list

    try:
        found = read_list(read_file(path).decode("utf-8", "replace"), key_set(jwks, path.absolute().parent))
    except BadRevocationList as problem:
        raise Refused(problem.code, f"{path}: {problem.en}", f"{path}: {problem.it}") from problem
    made = datetime.fromtimestamp(found.issued_at, UTC)
    out.say(
        f"Revocation list of {made:%Y-%m-%d %H:%M} UTC; of licenses that ended later it knows nothing.",
        f"Elenco di revoche del {made:%Y-%m-%d %H:%M} UTC; di licenze terminate più tardi non sa nulla.",
    )
    return found


def _opened(source: str) -> BinaryIO | None:
    """The file that is named, or None when the text is a license key itself. Raises :class:`Refused`."""
    if source == "-":
        return BytesIO(sys.stdin.buffer.read())
    try:
        return Path(source).open("rb")
    except (OSError, ValueError) as problem:
        if source.count(".") == 2 and source.lstrip().startswith("eyJ"):
            return None
        reason = getattr(problem, "strerror", None) or str(problem)
        raise Refused(
            "unusable_file",
            f"{source[:200]} is no license key, and as a file it cannot be read: {reason}.",
            f"{source[:200]} non è una chiave di licenza, e come file non si può leggere: {reason}.",
        ) from problem


def key_set(jwks: Path | None, beside: Path | None) -> KeySet:
    """The public keys: those given, else of KEYMILL_HOME, else those beside the license. Raises :class:`Refused`.

    Those of KEYMILL_HOME come first, because whoever forges a license can send a key set along with it.
    """
    home = Path(os.environ.get("KEYMILL_HOME") or ".keymill")
    places = [folder / name for folder in (home, beside or Path()) for name in KEY_SET_NAMES]
    path = jwks or next((place for place in places if place.is_file()), None)
    if path is None:
        raise Refused(
            "no_key_set",
            "The vendor's public key set is needed. Name it with --jwks, or save it as keys.json beside the license.",
            "Serve l'insieme di chiavi pubbliche del fornitore. Indicarlo con --jwks, o salvarlo come keys.json "
            "accanto alla licenza.",
        )
    return _parsed(path)


@lru_cache
def _parsed(path: Path) -> KeySet:
    from signing.key_sets import BadKeySet, parse_key_set

    try:
        return parse_key_set(read_file(path))
    except BadKeySet as problem:
        raise Refused(problem.code, f"{path}: {problem.en}", f"{path}: {problem.it}") from problem


def _facts(one: Checked, out: Output) -> dict[str, Any]:
    """What a license says, flat and by name, as far as its signature is good."""
    from signing.license_files import shown_last_day

    code, verdict = one.verdict.code, one.verdict
    facts = {"place": one.place, "code": code, "sentence": verdict.sentence(out.language)}
    if not verdict.claims:
        return facts
    right, expires_at = verdict.claims["lic"], verdict.claims.get("exp")
    return facts | {
        "license": verdict.claims["jti"],
        "product": right["sku"],
        "version": right["version"],
        "quantity": right["qty"],
        "customer": verdict.claims["sub"],
        "host": right.get("host"),
        "valid_until": None if expires_at is None else shown_last_day(expires_at),
        "maintained_until": right.get("maintained_until"),
        "issuer": verdict.claims["iss"],
    }


_TITLES = {
    "license": ("License", "Licenza"),
    "product": ("Product", "Prodotto"),
    "version": ("Version", "Versione"),
    "quantity": ("Quantity", "Quantità"),
    "customer": ("Customer", "Cliente"),
    "host": ("Host", "Host"),
    "valid_until": ("Valid until", "Valida fino al"),
    "issuer": ("Issuer", "Emessa da"),
}


def _shown(facts: dict[str, Any], name: str, out: Output) -> str:
    """A fact for a person, without characters that would steer the terminal."""
    from licensing.parsing import printable

    unset = {"host": ("any", "qualsiasi"), "valid_until": ("perpetual", "perpetua")}
    value = facts.get(name)
    text = out.pick(*unset[name]) if value is None and name in unset else str(value)
    return printable(text)


def _line(one: Checked, out: Output) -> str:
    facts = _facts(one, out)
    place = _shown(facts, "place", out)
    if not one.verdict.valid:
        return f"{place}: {facts['sentence']}"
    license_, product, version, quantity, _customer, host, until, _issuer = (_shown(facts, n, out) for n in _TITLES)
    return f"{place}: {license_}  {product} {version} × {quantity}  {out.pick(*_TITLES['host'])}: {host}  {until}"


def _tell_one(one: Checked, out: Output, shown: list[dict[str, Any]]) -> None:
    """A single license in full."""
    facts = _facts(one, out)
    if one.verdict.claims:
        for name, titles in _TITLES.items():
            out.line(f"{out.pick(*titles)}: {_shown(facts, name, out)}")
    sentence = one.verdict.sentence
    if not one.verdict.valid:
        out.refuse(one.verdict.code, sentence("en"), sentence("it"), counts={one.verdict.code: 1}, licenses=shown)
    out.say(sentence("en"), sentence("it"))
    out.document({"counts": {"valid": 1}, "licenses": shown})


def _tell_totals(counts: Counter[str], out: Output, shown: list[dict[str, Any]]) -> None:
    """How many of many licenses are valid, and what is the matter with the others."""
    total, valid = counts.total(), counts["valid"]
    if valid < total:
        why = ", ".join(f"{code} {count}" for code, count in counts.most_common() if code != "valid")
        out.refuse(
            "not_all_valid",
            f"{total - valid:,} of {total:,} licenses are not valid: {why}.",
            f"{total - valid:,} licenze su {total:,} non sono valide: {why}.",
            counts=counts,
            licenses=shown,
        )
    out.say(f"All {total:,} licenses are valid.", f"Tutte le {total:,} licenze sono valide.")
    out.document({"counts": counts, "licenses": shown})
