"""What came of a crash run, as numbers and as tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass
class Report:
    """What came of a run."""

    seed: int
    faults: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def show(console: Console, report: Report) -> None:
    """Print a report as tables."""
    table = Table("Fault", "Done", "Met nobody")
    for name, done in report.faults.items():
        table.add_row(name, str(done), str(report.passed_over[name]))
    console.print(table)
    table = Table("Checked", "Number")
    for name, number in (report.counts | report.codes).items():
        table.add_row(name, f"{number:,}")
    console.print(table)
    console.print("Seconds: " + ", ".join(f"{name} {seconds}" for name, seconds in report.seconds.items()))
    for sentence in report.wrong[:30]:
        console.print(f"[red]- {sentence}[/]", highlight=False)
    if not report.wrong:
        console.print("[green]The books are right.[/]")
