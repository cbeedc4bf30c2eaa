"""What is wrong with the settings, as sentences in English and Italian that name the variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import ValidationError

from licensing.fields import Language


class Problem(NamedTuple):
    """One variable and what is wrong with it."""

    variable: str
    en: str
    it: str


class SettingsProblem(Exception):
    """Settings that cannot be used; its message lists every problem."""

    code = "bad_settings"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        self.en = "\n".join(["The settings are not usable:", *(f"  {p.variable} {p.en}" for p in problems)])
        self.it = "\n".join(["Le impostazioni non sono utilizzabili:", *(f"  {p.variable} {p.it}" for p in problems)])
        super().__init__(self.en)

    def sentence(self, language: Language) -> str:
        """The message in a language."""
        return self.it if language == "it" else self.en


# Pydantic's error types, for the checks that our settings use; {x} comes from the error's context.
_SENTENCES: dict[str, tuple[str, str]] = {
    "int_parsing": ("must be a whole number", "deve essere un numero intero"),
    "int_from_float": ("must be a whole number", "deve essere un numero intero"),
    "float_parsing": ("must be a number", "deve essere un numero"),
    "greater_than": ("must be more than {gt}", "deve essere maggiore di {gt}"),
    "greater_than_equal": ("must be at least {ge}", "deve essere almeno {ge}"),
    "less_than_equal": ("must be at most {le}", "deve essere al massimo {le}"),
    "literal_error": ("must be {expected}", "deve essere {expected}"),
    "string_pattern_mismatch": ("must match {pattern}", "deve corrispondere a {pattern}"),
    "string_too_short": ("must not be empty", "non deve essere vuoto"),
}


def of_validation(error: ValidationError, prefix: str) -> list[Problem]:
    """The problems that the checks of the single settings found. A value is shown unless it can hold a secret."""
    problems = []
    for found in error.errors(include_url=False):
        variable = (prefix + "__".join(str(part) for part in found["loc"])).upper()
        en, it = _SENTENCES.get(found["type"], (found["msg"], found["msg"]))
        context = found.get("ctx", {})
        shown = "" if variable.endswith(("_URL", "_KEY")) else f" ({found['input']!r})"
        problems.append(Problem(variable, en.format(**context) + shown, it.format(**context) + shown))
    return problems
