"""Writes docs/reference and the index of decisions from the code: ``make docs``. A test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from config.settings import PREFIX, Limits, Settings
from importers.layouts import LAYOUTS
from jobs.kind import Kind
from jobs.kinds.registry import KINDS
from licensing.field_catalogue import FIELDS
from licensing.fields import Field
from licensing.outcomes import CODES, OUTCOMES

DOCS = Path(__file__).parent
NOTE = "<!-- Made from the code by `make docs`: edit the code, not this page. -->"


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(titles)]
    lines += [["---"] * len(lines[0])] + [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    """A page with its title and the note that it is made."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"


def outcomes() -> str:
    """Every outcome code with its sentences."""
    parts = ["Every row gets exactly one outcome, and with it a code that never changes its meaning or its name."]
    for outcome in OUTCOMES:
        found = [code for code in CODES.values() if code.outcome == outcome]
        if found:
            parts += [
                f"## {outcome}",
                table(("Code", "English", "Italiano"), ((f"`{c.code}`", c.en, c.it) for c in found)),
            ]
    return page("Outcome codes", *parts)


def kinds() -> str:
    """Every batch kind with its columns."""
    parts = ["A column marked `*` is required. Columns that a kind does not know are kept and given back untouched."]
    for kind in KINDS.values():
        parts += [
            f"## {kind.name}",
            _facts_of(kind),
            table(("Column", "Title", "Titolo"), map(_column_of, kind.fields)),
        ]
    return page("Batch kinds", *parts)


def summary_of(kind: Kind) -> str:
    """What a kind does, in one sentence: that of its file."""
    first = (sys.modules[kind.load.__module__].__doc__ or "").split("\n")[0]
    sentence = first.partition("``: ")[2]
    return sentence[:1].upper() + sentence[1:]


def _facts_of(kind: Kind) -> str:
    return f"{summary_of(kind)} ({kind.title['it']}.) Sent by: {', '.join(sorted(kind.senders))}."


def kinds_table() -> str:
    """Every batch kind in a line each, for the README."""
    return table(
        ("Kind", "What it does", "Sent by"),
        (
            (f"[`{kind.name}`](docs/reference/kinds.md#{kind.name})", summary_of(kind), ", ".join(sorted(kind.senders)))
            for kind in KINDS.values()
        ),
    )


def readme() -> str:
    """The README with its table of kinds made anew."""
    start, end = "<!-- kinds: made by `make docs` -->\n", "<!-- end of kinds -->"
    before, _, rest = (DOCS.parent / "README.md").read_text().partition(start)
    return f"{before}{start}{kinds_table()}\n{end}{rest.partition(end)[2]}"


def layouts() -> str:
    """Every list of another system that is read as it comes."""
    parts = [
        "Lists that other systems export are read as they come; all their columns come back. Such a list is known by "
        "its header. What a kind needs and the list lacks is given once for all rows: `--set column=value`.",
    ]
    for name in dict.fromkeys(layout.name for layout in LAYOUTS):
        alike = [layout for layout in LAYOUTS if layout.name == name]
        ours = {header: field for layout in alike for header, field in layout.columns.items() if field}
        parts += [
            f"## {name}",
            "Known by " + ", or ".join(", ".join(f"`{title}`" for title in layout.told_by) for layout in alike) + ". "
            "Kinds, the likeliest first: " + ", ".join(f"[{kind}](kinds.md#{kind})" for kind in alike[0].kinds) + ".",
            table(
                ("Its column", "Ours"), ((header, f"[`{field}`](columns.md#{field})") for header, field in ours.items())
            ),
        ]
    return page("Lists of other systems", *parts)


def _column_of(field: Field) -> tuple[str, str, str]:
    return (
        f"[`{field.name}`](columns.md#{field.name}){'*' if field.required else ''}",
        field.title["en"],
        field.title["it"],
    )


def columns() -> str:
    """Every known column, with the other headers that mean the same."""
    parts = ["Headers match in any order and any case; space, `_`, `-` and `.` are alike."]
    for field in FIELDS.values():
        parts += [f"## {field.name}", f"{field.note['en']}\n{field.note['it']}", _form_of(field)]
    return page("Columns", *parts)


def _form_of(field: Field) -> str:
    lines = [f"- Titles: {field.title['en']}; {field.title['it']}", f"- Form: {field.type}, e.g. `{field.example}`"]
    if field.choices:
        lines.append("- One of: " + ", ".join(f"`{choice}`" for choice in field.choices))
    if field.synonyms:
        lines.append("- Also read as: " + ", ".join(field.synonyms))
    return "\n".join(lines)


def settings() -> str:
    """Every environment variable."""
    return page(
        "Settings",
        "All settings are environment variables. A blank one counts as not set. Everything that is wrong is told at "
        "once when a command starts.",
        table(("Variable", "Default", "Meaning"), _variables(Settings, PREFIX)),
        "## Limits",
        "What an upload may be at most.",
        table(("Variable", "Default", "Meaning"), _variables(Limits, f"{PREFIX}LIMITS__")),
    )


def _variables(model: type[BaseModel], prefix: str) -> Iterable[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if name != "limits":
            default = "" if field.default_factory is not None or field.default in (None, "") else f"`{field.default}`"
            yield f"`{prefix}{name.upper()}`", default, field.description or ""


def commands() -> str:
    """Every command of the command line, with its arguments and options."""
    from typer.main import get_command

    from cli.main import app

    return page("Commands", *_commands_under(get_command(app), "keymill"))


def _commands_under(command: Any, name: str) -> Iterable[str]:
    if found := getattr(command, "commands", None):
        for part, below in sorted(found.items()):
            if not below.hidden:
                yield from _commands_under(below, f"{name} {part}")
        return
    yield f"## {name}"
    yield (command.help or "").strip()
    parameters = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    if parameters:
        yield table(("Argument or option", "Meaning"), map(_parameter_of, parameters))


def _parameter_of(parameter: Any) -> tuple[str, str]:
    if parameter.param_type_name == "argument":
        return f"`{(parameter.metavar or parameter.name).upper()}`", getattr(parameter, "help", None) or ""
    return ", ".join(f"`{option}`" for option in [*parameter.opts, *parameter.secondary_opts]), parameter.help or ""


def decisions() -> str:
    """The index of the decision records: each with its title."""
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    titles = ((path.name, path.read_text().split("\n", 1)[0].removeprefix("# ")) for path in records)
    return page(
        "Decisions",
        "Each record says what was decided, in which circumstances, and what was left. A decision that is changed gets "
        "a new record; the old one names it.",
        "\n".join(f"- [{title}]({name})" for name, title in titles),
    )


def pages() -> dict[str, str]:
    """Every page that is made, by its path below docs."""
    made = {
        "outcomes.md": outcomes(),
        "kinds.md": kinds(),
        "columns.md": columns(),
        "layouts.md": layouts(),
        "settings.md": settings(),
    }
    if find_spec("cli.main") is not None:
        made["commands.md"] = commands()
    whole = {"decisions/README.md": decisions(), "../README.md": readme()}
    return {f"reference/{name}": text for name, text in made.items()} | whole


def main() -> None:
    """Write the pages that changed and say which."""
    for name, text in pages().items():
        path = DOCS / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
