"""``worker`` and ``scheduler`` as long as the command line does not have them."""

from __future__ import annotations

import signal
import sys
import threading

from config import logging, settings
from config.wiring import open_app
from jobs import worker
from scheduler import beat

if len(sys.argv) > 2:
    from tests.crash.planted import BUGS

    BUGS[sys.argv[2]]()
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
given = settings.load()
logging.configure(given)
with open_app(given) as app:
    (worker if sys.argv[1] == "worker" else beat).serve(app, ended)
