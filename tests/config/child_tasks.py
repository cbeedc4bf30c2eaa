"""What the children of the tests do: ``python -m tests.config.child_tasks`` answers one request in one of many ways."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from config.children import Write, serve


class Refused(Exception):
    """An answer for a person."""

    code, en, it = "bad_file", "It is bad.", "È cattivo."


class NoException(BaseException):
    """What a panic looks like."""


def work(request: dict[str, Any], write: Write) -> dict[str, Any]:
    """Do what the request says."""
    match request["do"]:
        case "echo":
            for number in range(request["blocks"]):
                print("a library says something")
                write(bytes([number % 256]) * request["size"])
            return {"said": request["say"]}
        case "refuse":
            raise Refused
        case "fail":
            raise ValueError("no")
        case "panic":
            raise NoException("no")
        case "grow":
            held = [b"x" * 10_000_000 for _ in range(1000)]
            return {"held": len(held)}
        case "spin":
            while True:
                pass
        case "sleep":
            write(str(os.getpid()).encode())
            time.sleep(600)
        case "die":
            write(b"half")
            os.kill(os.getpid(), request["signal"])
            signal.pause()
        case "exit":
            os._exit(0)
        case "limits":
            import resource

            return {name: resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_CORE", "RLIMIT_AS")}
        case "garble":
            os.write(1, b"not a frame")
            sys.stdout.write("neither")
            return {}
    raise AssertionError(request)


if __name__ == "__main__":
    serve(work)
