"""The web server's process: uvicorn, told to stop by an event; behind proxies it believes only those it is told of."""

from __future__ import annotations

import sys
import threading

import structlog
import uvicorn

from config.wiring import App
from web.app import create

log = structlog.get_logger("keymill.web")
STOP_SECONDS = 10  # that requests which were begun have to end


def serve(app: App, ended: threading.Event) -> None:
    """Answer requests until ``ended`` is set. Raises ``SystemExit`` where the address cannot be listened on."""
    host, _, port = app.settings.listen.rpartition(":")
    config = uvicorn.Config(
        create(app),
        host=host,
        port=int(port),
        proxy_headers=True,
        forwarded_allow_ips=app.settings.trusted_proxies,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="web")
    thread.start()
    while thread.is_alive() and not server.started:
        thread.join(0.05)
    if not thread.is_alive():
        sys.exit(1)  # uvicorn has logged why
    log.info("web server started", address=_address(server))
    while not ended.wait(0.5) and thread.is_alive():
        pass
    server.should_exit = True
    thread.join()


def _address(server: uvicorn.Server) -> str:
    """Where it listens: the port that was taken, too."""
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"
