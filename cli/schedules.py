"""``keymill schedules``: what runs by itself, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.output import Json, Lang, Output, actor, opened_app, speak

if TYPE_CHECKING:
    from models.schedules import Missed

app = typer.Typer(
    help="Schedules: jobs that run by themselves, by cron expression and time zone.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of the schedule.", metavar="NAME")]
FAILED = 1


@app.command("jobs")
def list_jobs(as_json: Json = False, lang: Lang = None) -> None:
    """List the jobs that can be scheduled, with their arguments."""
    from jobs.scheduled.registry import JOBS

    out = speak(as_json, lang)
    found = [
        {
            "job": job.name,
            "title": job.title[out.language],
            "missed": job.missed,
            "arguments": [
                {"name": one.name, "title": one.title[out.language], "default": one.default, "needed": one.is_needed}
                for one in job.arguments
            ],
        }
        for job in JOBS.values()
    ]
    titles = [out.pick(*pair) for pair in (("Job", "Lavoro"), ("What", "Che cosa"), ("Arguments", "Argomenti"))]
    out.table(
        titles,
        [
            (job.name, job.title[out.language], "\n".join(f"{a.name}: {a.title[out.language]}" for a in job.arguments))
            for job in JOBS.values()
        ],
    )
    out.document(found)


@app.command("add")
def add(
    name: Name,
    job: Annotated[str, typer.Option(help="What to run. See: keymill schedules jobs")],
    cron: Annotated[str, typer.Option(help="When: a cron expression, '30 2 * * *' for every night at 2:30.")],
    zone: Annotated[str, typer.Option(help="Time zone of the expression, Europe/Rome for example.")] = "UTC",
    missed: Annotated[
        Literal["catch-up", "skip"] | None,
        typer.Option(help="Due times that no scheduler was there for: run each, or none. Default: as the job says."),
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="An argument of the job.", metavar="NAME=VALUE")
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Add a schedule, and show when it is due next."""
    out = speak(as_json, lang)
    arguments = dict(map(_pair, given or ()))
    from scheduler import schedules

    policies: dict[str, Missed] = {"catch-up": "catch_up", "skip": "skip"}
    with opened_app() as opened:
        schedules.add(
            opened,
            name,
            job=job,
            expression=cron,
            time_zone=zone,
            missed=policies[missed] if missed else None,
            given=arguments,
            actor=actor(),
        )
        found = schedules.shown(opened, name, out.language)
    _tell(found, out)
    out.document(found)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    return name.strip(), value.strip()


@app.command("list")
def list_schedules(as_json: Json = False, lang: Lang = None) -> None:
    """List the schedules with their next due time."""
    from scheduler import schedules

    out = speak(as_json, lang)
    with opened_app() as opened:
        found = schedules.every(opened, out.language)
    if found:
        titles = ("Name", "Nome"), ("Job", "Lavoro"), ("When", "Quando"), ("Zone", "Fuso"), ("Next", "Prossima")
        out.table(
            [out.pick(*pair) for pair in titles],
            [(one["schedule"], one["job"], one["explained"], one["time_zone"], _next(one, out)) for one in found],
        )
    else:
        out.say(
            "There are no schedules yet. Add one: keymill schedules add NAME --job JOB --cron '30 2 * * *'",
            "Non ci sono ancora pianificazioni. Aggiungerne una: keymill schedules add NOME --job LAVORO "
            "--cron '30 2 * * *'",
        )
    out.document(found)


def _next(found: dict[str, Any], out: Output) -> str:
    return _minute(found["next"][0]) if found["next"] else out.pick("paused", "sospesa")


def _minute(text: str) -> str:
    """An instant as people read it, with the distance from UTC."""
    return text[:19].replace("T", " ") + " " + text[-6:]


@app.command("show")
def show(name: Name, as_json: Json = False, lang: Lang = None) -> None:
    """Show a schedule, and when it is due next."""
    from scheduler import schedules

    out = speak(as_json, lang)
    with opened_app() as opened:
        found = schedules.shown(opened, name, out.language)
    _tell(found, out)
    out.document(found)


def _tell(found: dict[str, Any], out: Output) -> None:
    arguments = "".join(f", {name}={value}" for name, value in found["arguments"].items())
    out.line(f"{found['schedule']}: {found['job']}{arguments}")
    words = "" if found["explained"] == found["expression"] else f": {found['explained']}"
    out.line(f"{found['expression']} ({found['time_zone']}){words}")
    if found["missed"] == "catch_up":
        out.say("Missed due times are caught up.", "Le esecuzioni mancate vengono recuperate.")
    else:
        out.say("Missed due times are skipped.", "Le esecuzioni mancate vengono saltate.")
    if found["next"]:
        due = ", ".join(map(_minute, found["next"]))
        out.say(f"Next: {due}", f"Prossime: {due}")
    else:
        out.say("It is paused.", "È sospesa.")


@app.command("pause")
def pause(name: Name, as_json: Json = False, lang: Lang = None) -> None:
    """Pause a schedule: what is under way ends, nothing new begins."""
    from scheduler import schedules

    out = speak(as_json, lang)
    with opened_app() as opened:
        skipped = schedules.pause(opened, name, actor=actor())
    out.say(f"{name} is paused; runs that waited: {skipped}.", f"{name} è sospesa; esecuzioni in attesa: {skipped}.")
    out.document({"schedule": name, "state": "paused", "skipped": skipped})


@app.command("resume")
def resume(name: Name, as_json: Json = False, lang: Lang = None) -> None:
    """Let a paused schedule go on, from its next due time from now on."""
    from scheduler import schedules

    out = speak(as_json, lang)
    with opened_app() as opened:
        schedules.resume(opened, name, actor=actor())
        found = schedules.shown(opened, name, out.language)
    _tell(found, out)
    out.document(found)


@app.command("remove")
def remove(name: Name, as_json: Json = False, lang: Lang = None) -> None:
    """Remove a schedule with its history; batches that it made stay. To keep the history, pause it."""
    from scheduler import schedules

    out = speak(as_json, lang)
    with opened_app() as opened:
        schedules.remove(opened, name, actor=actor())
    out.say(f"{name} is removed.", f"{name} è rimossa.")
    out.document({"schedule": name, "removed": True})


@app.command("run")
def run(name: Name, as_json: Json = False, lang: Lang = None) -> None:
    """Run a schedule now, paused or not, and wait for what comes of it."""
    from cli.serving import told_to_stop
    from scheduler import schedules

    out = speak(as_json, lang)
    with told_to_stop() as ended, opened_app() as opened:
        told = schedules.run_now(opened, name, actor=actor(), language=out.language, ended=ended)
    _table([told], out)
    out.document(told)
    if told["state"] != "done":
        raise typer.Exit(FAILED)


@app.command("history")
def history(
    name: Annotated[str | None, typer.Argument(help="Only the runs of one schedule.", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 20,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """List the newest runs: when they were due and began, what they did, or why they did not."""
    from scheduler import schedules

    out = speak(as_json, lang)
    with opened_app() as opened:
        found = schedules.history(opened, name, limit, out.language)
    if found:
        _table(found, out)
    else:
        out.say("Nothing has run yet.", "Nulla è stato ancora eseguito.")
    out.document(found)


def _table(found: list[dict[str, Any]], out: Output) -> None:
    titles = ("Name", "Nome"), ("Due", "Prevista"), ("State", "Stato"), ("Tries", "Tentativi"), ("What", "Che cosa")
    out.table([out.pick(*pair) for pair in titles], [_line(one, out) for one in found])


def _line(one: dict[str, Any], out: Output) -> tuple[str, ...]:
    what = [one["did"]] if one["did"] else []
    if one["batch"]:
        what.append(out.pick("batch", "lotto") + f" {one['batch']} ({one['batch_state']})")
    if one["reason"]:
        what.append(one["reason"]["sentence"])
    return (
        one["schedule"],
        _minute(one["due"][:19] + one["due"][-6:]),
        one["state"],
        str(one["attempts"]),
        "; ".join(what),
    )
