"""The texts of the portal: the same in every language, all of them used, none missing."""

from __future__ import annotations

import re
from pathlib import Path

from licensing.fields import LANGUAGES
from web.translations import said, texts

WEB = Path(__file__).parents[2] / "web"
# Names that are put together: the page is used as a whole.
_JOINED = re.compile(r"""["']([a-z_]+)\.["']\s*[~+]""")
_NAMED = re.compile(r"""["']([a-z_]+\.[a-z_0-9]+)["']""")
_SAID = re.compile(r"""(?:\bt|link|said)\((?:\w+, |me\.language, |"[^"]*", )?["']([a-z_]+\.[a-z_0-9]+)["']""")


def sources() -> str:
    """Everything that may name a text."""
    return "\n".join(path.read_text() for path in [*WEB.rglob("*.html"), *WEB.rglob("*.py")])


def test_every_language_has_the_same_texts_with_the_same_values():
    """A page cannot lack a sentence in one language, or a number in it."""
    first, *others = (texts(language) for language in LANGUAGES)
    for other in others:
        assert first.keys() == other.keys()
        for name, text in first.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", other[name])), name


def test_every_text_is_used_and_every_name_has_a_text():
    """No dead sentence, no page that breaks for want of one."""
    code, known = sources(), set(texts("en"))
    joined, named = set(_JOINED.findall(code)), set(_NAMED.findall(code))
    assert {name for name in known if name not in named and name.partition(".")[0] not in joined} == set()
    assert set(_SAID.findall(code)) - known == set()
    assert len(set(_SAID.findall(code))) > len(known) / 2  # the pattern finds them


def test_values_are_filled_in():
    """A text with a place for a number says the number."""
    assert said("en", "batches.number", n=7) == "Batch 7"
    assert said("it", "batches.number", n=7) == "Lotto 7"
