"""An SMTP server for tests: ``python -m tests.smtp_server FOLDER [options]``; prints its port, ends when killed."""

from __future__ import annotations

import argparse
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Keeper:
    """Keeps mails as files, or refuses them as it was told."""

    def __init__(self, folder: Path, rcpt: list[str], data: list[str]) -> None:
        self.folder, self.rcpt, self.data, self.count = folder, rcpt, data, 0

    async def handle_RCPT(  # noqa: N802 - the name that the server looks for
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a receiver, unless there is an answer left to give."""
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a mail, unless there is an answer left to give."""
        if self.data:
            return self.data.pop(0)
        self.count += 1
        (self.folder / f"{self.count:04}.part").write_bytes(envelope.content)
        (self.folder / f"{self.count:04}.part").rename(self.folder / f"{self.count:04}.eml")
        return "250 kept"


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--starttls", help="certificate")
    parser.add_argument("--tls", help="certificate; TLS from the start")
    parser.add_argument("--password", help="of user 'keymill'; nobody else may send")
    parser.add_argument("--rcpt", action="append", default=[], help="answer to the next receiver")
    parser.add_argument("--data", action="append", default=[], help="answer to the next mail")
    given = parser.parse_args()
    options: dict[str, Any] = {}
    if given.starttls:
        options["tls_context"], options["require_starttls"] = _context(given.starttls), True
    if given.tls:
        options["ssl_context"] = _context(given.tls)
    if given.password:
        options |= {"auth_required": True, "auth_require_tls": bool(given.starttls)}

        def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
            right = (data.login, data.password) == (b"keymill", given.password.encode())
            return AuthResult(success=right, handled=False)

        options["authenticator"] = check
    keeper = Keeper(given.folder, given.rcpt, given.data)
    controller = Controller(keeper, hostname="127.0.0.1", port=_free_port(), **options)
    controller.start()
    sys.stdout.write(f"{controller.port}\n")
    sys.stdout.flush()
    threading.Event().wait()


def _context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _free_port() -> int:
    from config.embedded_processes import free_port

    return free_port(None)


if __name__ == "__main__":
    main()
