"""One load balancer's HAProxy: started, given another configuration without losing a request, told about targets."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..machines.command import run
from .config import fill

TAKE_OVER_SECONDS = 20.0
# By id and port: where it is, and `ready` or `maint`.
Wanted = dict[tuple[str, int], tuple[str, str]]


@dataclass
class Slot:
    """A server of HAProxy's and what it was last told."""

    number: int
    address: str = ""
    state: str = ""


@dataclass
class Proxy:
    """The process, with the slots of each of its backends by target."""

    directory: Path
    config: str = ""
    process: subprocess.Popen[bytes] | None = None
    slots: dict[str, dict[tuple[str, int], Slot]] = field(default_factory=dict)

    @property
    def socket(self) -> str:
        """Returns the path of the socket that takes commands."""
        return str(self.directory / "socket")

    def configure(self, config: str, wanted: dict[str, Wanted]) -> None:
        """Makes a configuration the one in force; the process before hands its listeners over and finishes."""
        if config == self.config:
            return
        self.config = config
        servers = {
            backend: [(f"{address}:{port}", state) for (_, port), (address, state) in targets.items()]
            for backend, targets in wanted.items()
        }
        path = self.directory / "config"
        path.write_text(fill(config, servers))
        try:
            run("haproxy", "-c", "-q", "-f", str(path))
        except OSError as wrong:
            print(f"haproxy refuses what simcloud wrote: {wrong}", file=sys.stderr)
            return
        before = self.process
        command = ["haproxy", "-db", "-f", str(path)]
        if before is not None and before.poll() is None:
            command += ["-x", self.socket, "-sf", str(before.pid)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until_taken_over(self.process.pid)
        self.slots = {
            backend: {target: Slot(number, *told) for number, (target, told) in enumerate(targets.items(), 1)}
            for backend, targets in wanted.items()
        }
        if before is not None:
            threading.Thread(target=before.wait, daemon=True).start()

    def _wait_until_taken_over(self, process: int) -> None:
        # Until then the process before answers.
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while time.monotonic() < deadline:
            if re.search(rf"^Pid: {process}$", self._command("show info"), re.MULTILINE):
                return
            time.sleep(0.01)

    def direct(self, backend: str, wanted: Wanted) -> None:
        """Makes the targets of a backend those `wanted`, with an address and `ready` or `maint` each."""
        slots = self.slots.setdefault(backend, {})
        for gone in set(slots) - set(wanted):
            slot = slots.pop(gone)
            # The deregistration delay is over: what is still in flight ends now.
            self._command(
                f"set server {backend}/target{slot.number} state maint",
                f"shutdown sessions server {backend}/target{slot.number}",
            )
        for target, (address, state) in wanted.items():
            if target not in slots:
                used = {each.number for each in slots.values()}
                slots[target] = Slot(next(number for number in range(1, len(used) + 2) if number not in used))
            slot = slots[target]
            server = f"{backend}/target{slot.number}"
            if slot.address != address:
                self._command(f"set server {server} addr {address} port {target[1]}")
                slot.address = address
            if slot.state != state:
                self._command(f"set server {server} state {state}")
                slot.state = state

    def end(self) -> None:
        """Ends the process, and every request with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _command(self, *commands: str) -> str:
        answers = []
        for command in commands:
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(5)
                    connection.connect(self.socket)
                    connection.sendall(command.encode() + b"\n")
                    while part := connection.recv(65536):
                        answers.append(part)
            except OSError:
                return ""
        return b"".join(answers).decode(errors="replace")
