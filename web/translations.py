"""What the portal says, in every language: one file a language in texts/, with the same names in each."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from licensing.fields import Language

FOLDER = Path(__file__).parent / "texts"


@cache
def texts(language: Language) -> dict[str, str]:
    """Every text of a language by its name, ``page.name``."""
    with (FOLDER / f"{language}.toml").open("rb") as file:
        pages = tomllib.load(file)
    return {f"{page}.{name}": text for page, names in pages.items() for name, text in names.items()}


def said(language: Language, name: str, /, **values: object) -> str:
    """A text with its values filled in."""
    text = texts(language)[name]
    return text.format(**values) if values else text
