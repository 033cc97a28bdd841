"""Serves the cloud over HTTP, says when it is ready, and ends when whoever started it is gone."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .front import Front


class Quiet(WSGIRequestHandler):
    """Writes no line per request, and no trace of a connection that a fault has broken."""

    def log_request(self, *_: Any, **__: Any) -> None:
        """Says nothing: `/_sim/calls` has it all."""

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """Says nothing: this is a client that went, or a fault."""


def serve(front: Front, listener: socket.socket) -> BaseWSGIServer:
    """Begins to answer on a socket, in threads of its own."""
    address, port = listener.getsockname()[:2]
    server = make_server(address, port, front, threaded=True, request_handler=Quiet, fd=listener.fileno())
    threading.Thread(target=server.serve_forever, name=f"http {address}:{port}", daemon=True).start()
    return server


def say_ready(endpoint: str) -> None:
    """Prints the one line that a test waits for."""
    print(f"simcloud ready {endpoint}", flush=True)


def end_with_stdin(stop: Callable[[], None]) -> None:
    """Waits until standard input is closed, which also a killed parent does, and ends the process."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop()
    os._exit(0)
