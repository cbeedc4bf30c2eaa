"""How every command speaks: text or JSON, English or Italian, and never a traceback.

Exit codes: 0 done, 1 refused with a sentence on standard error, 2 wrong usage.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from licensing.fields import LANGUAGES, Language

if TYPE_CHECKING:
    from config.wiring import App

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Lang = Annotated[Language | None, typer.Option("--lang", help="Language of sentences; default: KEYMILL_LANGUAGE.")]
# Told to stop, Ctrl-C, and the terminal was closed. Ctrl-C is not left to KeyboardInterrupt: one that is raised within
# exec(), as when a dataclass is made, lets Python end by the signal though it was caught (`python -m`, 3.11).
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
INTERRUPTED = 128 + signal.SIGINT


class Refused(Exception):
    """What was asked is not done: a stable code, and why and how to mend it in both languages."""

    def __init__(self, code: str, en: str, it: str) -> None:
        super().__init__(en)
        self.code, self.en, self.it = code, en, it


@dataclass(frozen=True, slots=True)
class Output:
    """One command's voice. With ``--json`` the only thing on standard output is one JSON document."""

    as_json: bool
    language: Language

    def pick(self, en: str, it: str) -> str:
        """The text in the reader's language."""
        return it if self.language == "it" else en

    def say(self, en: str, it: str) -> None:
        """A sentence for a person."""
        self.line(self.pick(en, it))

    def line(self, text: str) -> None:
        """A line for a person that is the same in both languages."""
        if not self.as_json:
            typer.echo(text)

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table for a person."""
        if self.as_json:
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*titles)
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)

    def document(self, document: Any) -> None:
        """The JSON document of a command that is done."""
        if self.as_json:
            typer.echo(json.dumps(document, default=str))

    def refuse(self, code: str, en: str, it: str, **facts: Any) -> NoReturn:
        """End with exit code 1: the sentence on standard error, with ``--json`` a document too."""
        sentence = self.pick(en, it)
        typer.echo(sentence, err=True)
        self.document({"refused": code, "sentence": sentence} | facts)
        raise typer.Exit(1)


_speaking = Output(as_json=False, language="en")  # the voice of the command that runs: what failed speaks with it


def speak(as_json: bool, lang: Language | None) -> Output:
    """The voice that a command's options ask for; the first line of every command."""
    global _speaking
    _speaking = Output(as_json, lang or usual_language())
    return _speaking


def usual_language() -> Language:
    """KEYMILL_LANGUAGE, else the language of the locale where we have it, else English."""
    for name in ("KEYMILL_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return next((language for language in LANGUAGES if value.lower().startswith(language)), "en")
    return "en"


def actor() -> str:
    """Who stands in the audit log: the operating-system user at this terminal."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


@contextmanager
def opened_app() -> Iterator[App]:
    """The app on the servers that the environment names or on embedded ones, with the log on standard error."""
    from config import logging, settings
    from config.wiring import open_app

    found = settings.load()
    logging.configure(found)
    with open_app(found) as app:
        yield app


def read_file(path: Path) -> bytes:
    """The content of a file that the user named. Raises :class:`Refused`."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise _unusable(path, "read", "leggere", problem) from problem


def write_file(path: Path, content: bytes, *, force: bool = True) -> None:
    """Write a file that the user named; without ``force`` only a new one. Raises :class:`Refused`."""
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(content)
    except FileExistsError as problem:
        raise Refused(
            "file_exists",
            f"{path} exists already. Give another name with -o, or --force to write over it.",
            f"{path} esiste già. Indicare un altro nome con -o, oppure --force per sovrascriverlo.",
        ) from problem
    except OSError as problem:
        raise _unusable(path, "written", "scrivere", problem) from problem


def _unusable(path: Path, en: str, it: str, problem: OSError) -> Refused:
    return Refused(
        "unusable_file",
        f"{path} cannot be {en}: {problem.strerror}.",
        f"{path} non si può {it}: {problem.strerror}.",
    )


@contextmanager
def on_signals(numbers: Sequence[signal.Signals], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Listen to signals while the block lasts, save those that this process was told to ignore (``nohup``)."""
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [number for number, earlier in before.items() if earlier is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


_told_to_end: list[int] = []


def _leave(number: int, _frame: object) -> NoReturn:
    """End through the ``finally`` blocks of what is under way, which stop workers and servers."""
    _told_to_end.append(number)
    raise SystemExit(128 + number)


def leave_if_told() -> None:
    """End if a signal said so and what was under way took no notice: Python drops what is raised within a finalizer."""
    if _told_to_end:
        raise SystemExit(128 + _told_to_end[0])


class Commands(TyperGroup):
    """The commands; what one raises becomes a sentence and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        speak(as_json=False, lang=None)
        _told_to_end.clear()
        try:
            with on_signals(ENDINGS, _leave):
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as problem:
            if os.environ.get("KEYMILL_DEBUG") == "1":
                raise
            _refuse_for(problem)


def _refuse_for(problem: Exception) -> NoReturn:
    """Problems of ours explain themselves; any other one is written down, and the sentence says where."""
    en, it = getattr(problem, "en", None), getattr(problem, "it", None)
    if isinstance(en, str) and isinstance(it, str):
        _speaking.refuse(str(getattr(problem, "code", "refused")), en, it)
    if "models.database" in sys.modules and sys.modules["models.database"].is_outage(problem):
        _speaking.refuse(
            "database_unavailable",
            "The database cannot be reached. Check that it runs, and KEYMILL_DATABASE_URL.",
            "Il database non è raggiungibile. Controllare che sia attivo, e KEYMILL_DATABASE_URL.",
        )
    told, log = f"{type(problem).__name__}: {problem}".splitlines()[0][:300], _write_down()
    _speaking.refuse(
        "unexpected",
        f"Something unexpected went wrong ({told}). The details are in {log}",
        f"Si è verificato un errore imprevisto ({told}). I dettagli sono in {log}",
        log=str(log),
    )


def _write_down() -> Path:
    """A new file with the traceback of the exception that is being handled, in KEYMILL_HOME if there is one."""
    home = Path(os.environ.get("KEYMILL_HOME") or ".keymill")
    folder = str(home) if home.is_dir() and os.access(home, os.W_OK) else None
    descriptor, name = tempfile.mkstemp(prefix="keymill-error-", suffix=".log", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{sys.argv}\n{traceback.format_exc()}")
    return Path(name)
