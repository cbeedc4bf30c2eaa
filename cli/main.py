"""``keymill``: every command, registered in one place. Heavy imports wait until a command needs them."""

from __future__ import annotations

import gc

import typer

from cli import (
    batches,
    bench,
    contracts,
    demo,
    drops,
    health,
    keys,
    licenses,
    mails,
    schedules,
    serving,
    ssh_keys,
    template,
    tokens,
    users,
    verify,
    webhooks,
)
from cli.output import Commands

# What a command imports is a million objects that stay: to look among them for garbage is a sixth of its start.
gc.set_threshold(50_000, 20, 20)

app = typer.Typer(
    name="keymill",
    cls=Commands,
    help="Mills license keys in bulk: a spreadsheet goes in, the same spreadsheet with signed keys comes back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# One line a command or command group.
app.command("demo")(demo.demo)
app.command("submit")(batches.submit)
app.command("batches")(batches.batches)
app.command("show")(batches.show)
app.command("confirm")(batches.confirm)
app.command("cancel")(batches.cancel)
app.command("revert")(batches.revert)
app.command("results")(batches.results)
app.command("licenses")(licenses.licenses)
app.command("license")(licenses.license)
app.command("statement")(contracts.statement)
app.command("explain")(contracts.explain)
app.command("template")(template.template)
app.command("verify")(verify.verify)
app.add_typer(keys.app, name="keys")
app.add_typer(ssh_keys.app, name="ssh-keys")
app.add_typer(drops.app, name="drops")
app.add_typer(schedules.app, name="schedules")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(mails.app, name="mails")
app.add_typer(users.app, name="users")
app.add_typer(tokens.app, name="tokens")
app.command("up")(serving.up)
app.command("web")(serving.web)
app.command("worker")(serving.worker)
app.command("scheduler")(serving.scheduler)
app.command("sftp")(serving.sftp)
app.command("health")(health.health)
app.command("migrate")(serving.migrate)
app.command("bench")(bench.bench)


if __name__ == "__main__":
    app()
