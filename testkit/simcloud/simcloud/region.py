"""Puts a cloud together: moto with everything that amends it, and the clock that moves it on."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from . import buckets, zones
from .cloud import Cloud
from .control import Control
from .ec2 import console, dependencies, templates
from .ec2.images import Images
from .ec2.launches import Launches
from .ec2.lives import Lives
from .ec2.shown import Shown
from .ec2.sight import Sight
from .elb.balancers import Balancers
from .elb.groups import Groups
from .elb.listeners import Listeners
from .elb.targets import TargetGroups
from .front import Front

TICK_SECONDS = 0.05


def assemble(bodies: Any | None = None) -> tuple[Cloud, Sight]:
    """Makes the one cloud that this process can have."""
    cloud = Cloud()
    cloud.lives = Lives(cloud, bodies)
    cloud.targets = TargetGroups(cloud, probed=bodies is not None)
    cloud.lives.install()
    cloud.targets.install()
    Launches(cloud)
    cloud.shown = Shown()
    Images(cloud, bodies.keep_disk if bodies else None)
    Balancers(cloud)
    Groups(cloud)
    Listeners(cloud)
    templates.install()
    dependencies.install()
    buckets.install()
    zones.install()
    console.install(bodies.console if bodies else None)
    return cloud, Sight(cloud)


def assemble_alone() -> Front:
    """Makes a cloud that is a control plane only, and sets it going."""
    cloud, sight = assemble()
    keep_moving(cloud)
    return Front(cloud, Control(cloud), sight)


def keep_moving(cloud: Cloud, check: Callable[[list[tuple[Any, Any]]], None] | None = None) -> threading.Thread:
    """Starts the clock; targets that are due for a health check go to `check`."""

    def move() -> None:
        pause, took = threading.Event(), 0.0
        while True:
            # With very many targets a look takes its time, and calls want the lock, too.
            pause.wait(max(TICK_SECONDS, 4 * took))
            try:
                with cloud.lock:
                    began = time.monotonic()
                    cloud.lives.advance()
                    due = cloud.targets.advance()
                    took = time.monotonic() - began
            except Exception:
                # A clock that stops would let every test run into its time limit without a word.
                traceback.print_exc(file=sys.stderr)
                os._exit(70)
            if check is not None:
                check(due)

    thread = threading.Thread(target=move, name="clock", daemon=True)
    thread.start()
    return thread
