"""The command: `serve` runs a cloud in the foreground; `up`, `in` and `down` one in the background, for people."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from . import background, enclosure


def main() -> int:
    """Reads the command line and returns the exit status."""
    arguments = read_arguments()
    if arguments.command == "serve":
        return serve(arguments)
    if arguments.command == "up":
        return background.up(arguments.directory, sys.argv[sys.argv.index("up") + 1 :])
    if arguments.command == "down":
        return background.down(arguments.directory)
    if arguments.command == "env":
        return background.show_environment(arguments.directory)
    return background.run_inside(arguments.directory, arguments.program)


def read_arguments() -> argparse.Namespace:
    """Returns what the command line says; ends the process if it makes no sense."""
    parser = argparse.ArgumentParser(prog="simcloud", description="A simulated AWS region for tests.")
    place = Path(os.environ.get("SIMCLOUD_DIR") or f"/tmp/simcloud-{os.getuid()}")
    parser.add_argument("--directory", type=Path, default=place, help=f"where `up` keeps its things ({place})")
    commands = parser.add_subparsers(dest="command", required=True)
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one unless given")
    options.add_argument("--machines", action="store_true", help="with machines and load balancers that really work")
    options.add_argument("--rootfs", default="/", help="the tree that machines boot from (default: this system's)")
    options.add_argument(
        "--share", action="append", default=[], help="a directory that machines see as it is here; may be repeated"
    )
    run = commands.add_parser("serve", parents=[options], help="run in the foreground until standard input is closed")
    run.add_argument("--detached", action="store_true", help="do not end when standard input is closed")
    commands.add_parser("up", parents=[options], help="start in the background")
    inside = commands.add_parser("in", help="run a program in the internet of the cloud that is up")
    inside.add_argument("program", nargs=argparse.REMAINDER)
    commands.add_parser("env", help="print the variables that point tools at the cloud that is up")
    commands.add_parser("down", help="end the cloud that is up, with all that runs in it")
    return parser.parse_args()


def serve(arguments: argparse.Namespace) -> int:
    """Runs a cloud until it is told to stop, by a signal or by the end of standard input."""
    if arguments.machines and not enclosure.entered():
        return enclosure.enter(arguments)
    from . import region, server

    listener = enclosure.inherited_listener() or enclosure.listen("127.0.0.1", arguments.port)
    if arguments.machines:
        from . import whole

        front = whole.assemble(arguments.rootfs, arguments.share)
    else:
        front = region.assemble_alone()
    server.serve(front, listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    server.say_ready(f"http://127.0.0.1:{listener.getsockname()[1]}")
    if arguments.detached:
        threading.Event().wait()
    server.end_with_stdin(lambda: None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
