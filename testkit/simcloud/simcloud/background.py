"""A cloud that stays up between commands: where it is kept, how a program gets into it, how it goes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import enclosure

START_SECONDS = 60.0
STOP_SECONDS = 20.0


def up(directory: Path, options: list[str]) -> int:
    """Starts a cloud and waits until it is ready; prints how to reach it."""
    if _process(directory):
        print(f"a cloud is up already in {directory}; `down` ends it", file=sys.stderr)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    command = [sys.executable, "-m", "simcloud", "serve", "--detached", *options]
    with (directory / "ready").open("wb") as ready, (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=ready, stderr=log, start_new_session=True)
    (directory / "pid").write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if endpoint(directory):
            return show_environment(directory)
        time.sleep(0.05)
    print((directory / "log").read_text(errors="replace"), file=sys.stderr)
    down(directory)
    return 1


def down(directory: Path) -> int:
    """Ends the cloud; whatever runs in its namespaces ends with it."""
    process = _process(directory)
    if process:
        # It keeps nothing that it would have to save, and its namespaces end with it.
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while _process(directory) and time.monotonic() < deadline:
            time.sleep(0.05)
    shutil.rmtree(directory, ignore_errors=True)
    return 0


def endpoint(directory: Path) -> str | None:
    """Returns the endpoint of the cloud that is up."""
    try:
        words = (directory / "ready").read_text().split()
    except OSError:
        return None
    return words[2] if words[:2] == ["simcloud", "ready"] and len(words) > 2 else None


def environment(address: str) -> dict[str, str]:
    """Returns the variables that point AWS's SDKs and tools at a cloud and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIASIMCLOUD00000000",
        "AWS_SECRET_ACCESS_KEY": "simulated",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def show_environment(directory: Path) -> int:
    """Prints the variables as a shell reads them."""
    address = endpoint(directory)
    if not address:
        print(f"no cloud is up in {directory}", file=sys.stderr)
        return 1
    for name, value in environment(address).items():
        print(f"export {name}={value}")
    return 0


def run_inside(directory: Path, program: list[str]) -> int:
    """Becomes a program on the simulated internet: it reaches load balancers and the API, and nothing outside."""
    process, address = _process(directory), endpoint(directory)
    if not process or not address:
        print(f"no cloud is up in {directory}", file=sys.stderr)
        return 1
    os.environ.update(environment(enclosure.INSIDE_ENDPOINT if enclosure.is_one(process) else address))
    command = [*enclosure.way_in(process), *program]
    return os.execvp(command[0], command)


def _process(directory: Path) -> int | None:
    try:
        process = int((directory / "pid").read_text())
        # A zombie has no command line any more.
        alive = b"simcloud" in Path(f"/proc/{process}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return process if alive else None
