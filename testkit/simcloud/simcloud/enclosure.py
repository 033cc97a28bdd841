"""The namespaces that hold a cloud with machines: nothing in them reaches the outside, and they end with it.

There are two networks to begin with. The process of the cloud is in its core, which is the router, the hypervisor and the
load balancers. Its neighbour is "the internet", where `simcloud in` runs programs.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

BACKLOG = 1024
LISTENER_VARIABLE = "SIMCLOUD_LISTENER"
# TEST-NET-2 is the API as seen from inside, TEST-NET-3 the internet (RFC 5737).
INSIDE_ADDRESS, INSIDE_PORT = "198.51.100.10", 80
INSIDE_ENDPOINT = f"http://{INSIDE_ADDRESS}"
INTERNET_ADDRESS, INTERNET_ROUTER = "203.0.113.10", "203.0.113.1"


def entered() -> bool:
    """Tells whether this process is in an enclosure."""
    return LISTENER_VARIABLE in os.environ


def inherited_listener() -> socket.socket | None:
    """Returns the socket, opened outside, on which tests outside reach the API."""
    number = os.environ.get(LISTENER_VARIABLE)
    return socket.socket(fileno=int(number)) if number else None


def listen(address: str, port: int) -> socket.socket:
    """Opens a listening socket; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(BACKLOG)
    return listener


def enter(arguments: argparse.Namespace) -> int:
    """Becomes the same command in new namespaces, with root's rights there; returns only if it cannot."""
    listener = listen("127.0.0.1", arguments.port)
    os.set_inheritable(listener.fileno(), True)
    os.environ[LISTENER_VARIABLE] = str(listener.fileno())
    namespaces = [
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
        "--propagation",
        "private",
    ]
    if os.getuid() != 0:
        namespaces = ["--user", "--map-root-user", *namespaces]
    command = ["unshare", *namespaces, sys.executable, "-m", "simcloud", *sys.argv[1:]]
    os.execvp(command[0], command)


def is_one(process: int) -> bool:
    """Tells whether `process` is that of an enclosure, seen from outside."""
    return bool(_children(process)) and b"unshare" in Path(f"/proc/{process}/cmdline").read_bytes()


def way_in(process: int) -> list[str]:
    """Returns the command that enters the internet of an enclosure; nothing if there is none around the cloud."""
    if not is_one(process):
        return []
    core = _children(process)[0]
    neighbour = next(each for each in _children(core) if b"internet" in _read(Path(f"/proc/{each}/cmdline")))
    user = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(neighbour), *user, "--net", "--mount", f"--wd={os.getcwd()}"]


def _children(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task")
    return [int(child) for each in threads.iterdir() for child in _read(each / "children").split()]


def _read(path: Path) -> bytes:
    """Returns what a file of a process or thread says; nothing if that has ended meanwhile."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
