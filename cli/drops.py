"""``keymill drops``: folders on other people's SFTP servers that are looked into."""

from __future__ import annotations

import typer

app = typer.Typer(help="Drops on other SFTP servers.", no_args_is_help=True)
