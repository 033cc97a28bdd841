"""One machine: namespaces of its own, started and ended as power is."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

BOOT = Path(__file__).with_name("boot.sh")
NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL")


@dataclass
class Machine:
    """What an instance runs on; `layers` are the trees under its own, the uppermost first."""

    instance_id: str
    address: str
    directory: Path
    layers: list[str]
    shared: list[str]
    state: str = "booting"
    frozen: bool = False
    told: bool = False
    """Whether it was asked to end, so that its end is not its own wish."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while it is started or ended."""

    @property
    def link(self) -> str:
        """Returns the name of the core's end of its line."""
        return "v" + self.instance_id[-13:]

    @property
    def console(self) -> Path:
        """Returns the file with all that it prints."""
        return self.directory / "console"

    def power_on(self, user_data: bytes) -> int:
        """Starts its namespaces; returns a process in its network, which waits for `go`."""
        self.told = False
        for name in ("upper", "work", "root"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "user-data").write_bytes(user_data)
        there, tell = os.pipe()
        options = "" if _owns_root() else ",userxattr"
        name = f"ip-{self.address.replace('.', '-')}"
        words = [str(self.directory), ":".join(self.layers), options, name, self.instance_id, *self.shared]
        with self.console.open("ab") as console:
            self.process = subprocess.Popen(
                # The descriptor is 3 for the script, whatever it is here.
                ["bash", "-c", f'exec "$@" 3>&{tell}', "bash", "unshare", *NAMESPACES, "/bin/sh", str(BOOT), *words],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                pass_fds=(tell,),
                start_new_session=True,
            )
        os.close(tell)
        with os.fdopen(there, "rb") as answer:
            if not answer.readline():
                raise OSError(f"{self.instance_id} did not start: {self.console.read_text(errors='replace')}")
        return self.process.pid

    def go(self) -> None:
        """Lets it boot, now that it has a network."""
        assert self.process is not None and self.process.stdin is not None
        # It may ask for its metadata at once.
        self.state = "up"
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    def look(self) -> str:
        """Returns its state, after a look whether it has switched itself off: reboot(2) ends a PID namespace."""
        if self.state == "up" and not self.told and self.process is not None and self.process.poll() is not None:
            self.state = "halted"
        return self.state

    def shut_down(self, grace: float) -> None:
        """Asks its processes to end, and cuts the power after `grace` seconds."""
        self.told = True
        for child in children(self.process.pid) if self.process else []:
            _signal(child, signal.SIGCONT)
            _signal(child, signal.SIGTERM)
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace)
        self.power_off()

    def power_off(self) -> None:
        """Ends everything in it at once."""
        self.state = "off"
        if self.process is not None:
            _signal(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def freeze(self, frozen: bool) -> None:
        """Stops all its processes where they are, or lets them go on."""
        self.frozen = frozen
        if self.process is None:
            return
        seen: set[int] = set()
        # Those that are born meanwhile are caught by another round.
        while fresh := set(descendants(self.process.pid)) - seen:
            for each in fresh:
                _signal(each, signal.SIGSTOP if frozen else signal.SIGCONT)
            seen |= fresh

    def discard(self) -> None:
        """Removes its disk."""
        shutil.rmtree(self.directory, ignore_errors=True)


def children(process: int) -> list[int]:
    """Returns the processes that a process has started and that are still there."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        return [int(each) for thread in threads for each in (thread / "children").read_text().split()]
    except OSError:
        return []


def descendants(process: int) -> list[int]:
    """Returns those, and theirs."""
    found = children(process)
    return found + [each for child in found for each in descendants(child)]


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def _owns_root() -> bool:
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
