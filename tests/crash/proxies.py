"""A TCP proxy before the S3 server that can be made to fail: refuse, cut what is open, or hang without an answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal

Failure = Literal["refuse", "cut", "hang"]
FAILURES: tuple[Failure, ...] = ("refuse", "cut", "hang")


class Proxy:
    """Passes bytes on between whoever connects to ``port`` and a server on this machine."""

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._failure: Failure | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    @property
    def fails(self) -> bool:
        """Whether it fails just now."""
        return self._failure is not None

    def fail(self, how: Failure) -> None:
        """Begin to fail, in the middle of what is being sent."""
        with self._lock:
            self._failure = how
            if how == "refuse":
                _shut(self._listener)  # wakes the thread that accepts
                self._listener.close()
        if how != "hang":
            self._cut_all()

    def heal(self) -> None:
        """Work again. Connections that hung are cut: nobody is answered from the time of the failure."""
        with self._lock:
            if self._failure == "refuse":
                self._listener = self._listen(self.port)
            self._failure = None
        self._cut_all()

    def close(self) -> None:
        """Stop listening."""
        self.fail("refuse")

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._failure == "cut":
                client.close()
            else:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._open |= {client, server}
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65_536):
                if self._failure is None:  # else swallowed: the other side waits
                    target.sendall(block)
        for end in (source, target):
            _shut(end)

    def _cut_all(self) -> None:
        with self._lock:
            for end in self._open:
                _shut(end)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
