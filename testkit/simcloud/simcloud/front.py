"""The endpoint: each request meets expired keys, faults and rate limits, then moto, which the other modules amend."""

from __future__ import annotations

import http.client
import io
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from .cloud import Cloud
from .control import Control
from .ec2.sight import Sight
from .faults import Fault
from .wire import Answer, Call, Refused, read_call, write_refusal

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
# Bodies of S3 may be large, and what the cloud adds to these services has a lock of its own.
UNLOCKED = {"s3", "ssm"}


class Front:
    """A WSGI application that answers as AWS does, and under `/_sim/` as the control API."""

    def __init__(self, cloud: Cloud, control: Control, sight: Sight):
        self.cloud, self.control, self.sight = cloud, control, sight
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        body = b"" if _streams(environ) else environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ["PATH_INFO"].startswith("/_sim/"):
            return _send(start_response, self.control.answer(environ["REQUEST_METHOD"], environ, body))
        if not _streams(environ):
            environ["wsgi.input"] = io.BytesIO(body)
        call, began = read_call(environ, body), time.monotonic()
        fault = self.cloud.faults.take(call)
        answer, code = self._answer(call, fault, environ)
        status: int | str = answer.status
        if fault is not None:
            fault.wait("after")
            if fault.drop:
                status = f"dropped {fault.drop}"
        self.cloud.calls.record(call, status, code, time.monotonic() - began)
        if fault is not None and fault.drop:
            _reset(environ)
        return _send(start_response, answer)

    def _answer(self, call: Call, fault: Fault | None, environ: Environ) -> tuple[Answer, str | None]:
        """Returns the answer, with the code of the error if the cloud itself makes it one."""
        try:
            if fault is not None:
                fault.wait("before")
                if fault.drop == "before":
                    return Answer(0, b"", []), None
                if fault.code:
                    raise Refused(fault.code, fault.message, fault.status)
            if call.key_id in self.cloud.expired:
                raise Refused("RequestExpired" if call.service == "ec2" else "ExpiredToken")
            self.cloud.throttle.admit(call)
            answer = self._carry_out(call, environ)
            if fault is not None and fault.code_after:
                raise Refused(fault.code_after, fault.message, fault.status)
            return answer, None
        except Refused as refused:
            return write_refusal(call.service, refused), refused.code

    def _carry_out(self, call: Call, environ: Environ) -> Answer:
        try:
            if call.service in UNLOCKED:
                return self._ask_moto(environ)
            with self.cloud.lock:
                if call.service == "ec2":
                    self.sight.check_ids(call)
                    self.cloud.shown.forget(call)
                return self._ask_moto(environ)
        except Refused:
            raise
        except NotImplementedError as missing:
            # moto's page with a status of 500 would be retried as if it could become better.
            raise Refused("InvalidAction", f"simcloud has no {call.service} {call.action}: {missing}") from None
        except Exception as broken:
            traceback.print_exc(file=sys.stderr)
            raise Refused("InvalidAction", f"simcloud broke on {call.service} {call.action}: {broken!r}") from broken

    def _ask_moto(self, environ: Environ) -> Answer:
        said: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _problem: Any = None) -> None:
            said[:] = [int(status.split()[0]), headers]

        body = b"".join(self.moto(environ, start_response))
        return Answer(said[0], body, said[1])


def _streams(environ: Environ) -> bool:
    """Tells whether a body comes in chunks of unknown number; only S3's do."""
    return "CONTENT_LENGTH" not in environ and bool(environ.get("wsgi.input_terminated"))


def _send(start_response: StartResponse, answer: Answer) -> Iterable[bytes]:
    own = {"content-length", "transfer-encoding", "connection"}
    headers = [(name, value) for name, value in answer.headers if name.lower() not in own]
    if not (answer.status in (204, 304) or answer.status < 200):
        length = next((value for name, value in answer.headers if name.lower() == "content-length"), str(len(answer.body)))
        # A reply to HEAD has the length of the object that it does not bring.
        headers.append(("Content-Length", length if not answer.body else str(len(answer.body))))
    start_response(f"{answer.status} {http.client.responses.get(answer.status, 'Unknown')}", headers)
    return [answer.body]


def _reset(environ: Environ) -> None:
    """Breaks the connection with a reset, as when a network fails."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("a fault drops this connection")
