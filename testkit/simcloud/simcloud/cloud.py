"""The state that the simulation has beside moto's, with the lock that guards both."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .calls import Calls
from .faults import Faults
from .settings import Limits, Times
from .throttle import Throttle

if TYPE_CHECKING:
    from .ec2.lives import Lives
    from .ec2.shown import Shown
    from .elb.targets import TargetGroups


@dataclass
class Capacity:
    """How many more instances a pool gives, by `zone/type`, `zone/*`, or either with `/spot`; others have no end."""

    left: dict[str, int] = field(default_factory=dict)

    def grant(self, zone: str, kind: str, spot: bool, least: int, most: int) -> int:
        """Takes up to `most` instances out of the pools that apply and returns how many; 0 if there are not `least`."""
        names = [f"{zone}/{kind}", f"{zone}/*"]
        pools = [name for name in [*names, *(f"{name}/spot" for name in names if spot)] if name in self.left]
        granted = min([most, *(self.left[name] for name in pools)])
        if granted < least:
            return 0
        for name in pools:
            self.left[name] -= granted
        return granted

    def empty(self, zone: str, kind: str) -> bool:
        """Tells whether a pool is known to have nothing left."""
        return any(self.left.get(name, 1) <= 0 for name in (f"{zone}/{kind}", f"{zone}/*"))


@dataclass
class Cloud:
    """Everything that a test can set, and what became of it. Hold `lock` to read or change moto's state."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    times: Times = field(default_factory=Times)
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    throttle: Throttle = field(default_factory=Throttle)
    calls: Calls = field(default_factory=Calls)
    capacity: Capacity = field(default_factory=Capacity)
    expired: set[str] = field(default_factory=set)
    """Access keys whose calls are refused as expired."""
    lives: Lives = field(init=False)
    shown: Shown = field(init=False)
    targets: TargetGroups = field(init=False)

    def clear(self) -> None:
        """Ends all misfortune; what it did to resources stays."""
        self.faults.clear()
        self.throttle.set_scale(None)
        self.capacity.left.clear()
        self.expired.clear()
        self.times.lag = 0.0
        self.limits = Limits()
        self.lives.misboots.clear()
