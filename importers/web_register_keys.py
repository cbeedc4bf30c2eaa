"""FlexNet's web register keys as XML: a root ``webregkeys`` with an element ``webregkey`` for each row.

Attributes and child elements are the columns; an element with nothing but a text is a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from importers.contracts import Limits, RawRow, SecondLook, Source, Wanted
from importers.refusals import refusal

ROW = "webregkey"
_BLOCK_BYTES = 1 << 16


class Keys:
    """The one table of the file; its first row holds the names that occur in it."""

    name = ""
    is_hidden = False

    def __init__(self, path: Path, limits: Limits) -> None:
        """Go through the file once for the names. Raises :class:`UnreadableFile`."""
        self._path, self._limits = path, limits
        self._titles = list(dict.fromkeys(name for record in self._records() for name in record))
        if len(self._titles) > limits.columns:
            raise refusal("too_many_columns", n=len(self._titles), most=limits.columns, where=self._titles[-1][:80])

    def rows(self) -> Iterator[RawRow]:
        """The names, then the values of every element, in order."""
        yield list(self._titles)
        for record in self._records():
            yield [record.get(name, "") for name in self._titles]

    def _records(self) -> Iterator[dict[str, str]]:
        done: list[dict[str, str]] = []
        parser = _Parser(done, self._limits).parser
        try:
            with self._path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    parser.Parse(block, False)
                    yield from done
                    done.clear()
                parser.Parse(b"", True)
                yield from done
        except expat.ExpatError as error:
            is_cut = "no element found" in str(error) or "unclosed token" in str(error)
            raise refusal("truncated") if is_cut else refusal("corrupt", detail=f"XML, {error}") from error

    def second_look(self) -> SecondLook:
        """Nothing: an XML file has no more than its text."""
        return SecondLook()


class _Parser:
    """Takes the elements apart as they come. Raises :class:`UnreadableFile` for entities, which could be a bomb."""

    def __init__(self, done: list[dict[str, str]], limits: Limits) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._done, self._limits = done, limits
        self._record: dict[str, str] | None = None
        self._name, self._value = "", ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self._name, self._value = local, ""
        if self._record is None:
            if local.lower() == ROW:
                self._record = dict(attributes)
        else:
            self._record |= {f"{local}.{attribute}": value for attribute, value in attributes.items()}

    def _text(self, text: str) -> None:
        self._value += text
        if len(self._value) > self._limits.cell_characters:
            line = str(self.parser.CurrentLineNumber)
            raise refusal("cell_too_long", where=line, most=self._limits.cell_characters)

    def _end(self, name: str) -> None:
        local = name.rpartition(":")[2]
        if self._record is None:
            return
        if self._name == local and (self._value.strip() or local.lower() != ROW):
            self._record.setdefault(local, self._value.strip())
        self._name, self._value = "", ""
        if local.lower() == ROW:
            self._done.append(self._record)
            self._record = None

    def _doctype(self, *_: object) -> None:
        raise refusal("has_entities", where="XML")


def open_web_register_keys(path: Path, _wanted: Wanted, limits: Limits) -> Source:
    """The keys of an XML file. Raises :class:`UnreadableFile`."""
    return Source("xml", [Keys(path, limits)])
