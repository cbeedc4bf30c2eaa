"""``keymill health``: what containers ask after their roles."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from config.embedded_processes import free_port
from tests.cli.test_batches import called
from tests.cli.test_serving import PATIENCE_SECONDS, Start, named_servers, start, wait_until

__all__ = ["start"]  # a fixture


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_role_is_well_while_it_runs(
    role: str, start: Start, database_url: str, valkey_url: str, tmp_path: Path
) -> None:
    """It exits with 0 as soon as the role is up, and with 1 and a sentence before and after; of other roles as well."""
    env = named_servers(database_url, valkey_url, tmp_path) | {"KEYMILL_LISTEN": f"127.0.0.1:{free_port(None)}"}
    before = called(env, "health", role, "--lang", "it")
    assert (before.returncode, f"Nessun {role} è attivo" in before.stderr) == (1, True)
    process = start(env, role)
    wait_until(lambda: called(env, "health", role).returncode == 0, "it is not well")
    assert json.loads(called(env, "health", role, "--json").stdout) == {"role": role, "alive": True}
    assert called(env, "health", "scheduler").returncode == 1
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=PATIENCE_SECONDS)
    assert called(env, "health", role).returncode == 1
