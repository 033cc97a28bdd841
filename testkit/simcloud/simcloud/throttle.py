"""Request rate limits: token buckets, filled at AWS's published or observed rates.

Sizes and rates: EC2's developer guide ("Request throttling for the Amazon EC2 API"); for ELBv2 the defaults of
aws-load-balancer-controller.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from .wire import Call, Refused


@dataclass(frozen=True)
class Rate:
    """`size` calls at once, `refill` a second; `shared` if the actions that match share one bucket."""

    service: str
    actions: re.Pattern[str]
    size: float
    refill: float
    shared: bool


RATES = (
    Rate("ec2", re.compile(r"RunInstances"), 5, 2, False),
    Rate("ec2", re.compile(r"TerminateInstances"), 100, 5, False),
    Rate("ec2", re.compile(r"CreateTags"), 100, 10, False),
    Rate("ec2", re.compile(r"Describe.*"), 100, 20, False),
    Rate("ec2", re.compile(r".*"), 50, 5, False),
    Rate("elasticloadbalancing", re.compile(r"(Register|Deregister)Targets"), 20, 4, True),
    Rate("elasticloadbalancing", re.compile(r".*"), 40, 10, True),
)


@dataclass
class Throttle:
    """The buckets of one account in one region; `scale` multiplies sizes and rates, None means no limits."""

    scale: float | None = None
    _levels: dict[tuple[int, str, str], tuple[float, float]] = field(default_factory=dict)

    def set_scale(self, scale: float | None) -> None:
        """Turns the limits on, with full buckets, or off."""
        self.scale = scale
        self._levels.clear()

    def admit(self, call: Call) -> None:
        """Takes one token for a call; refuses it as its service does if there is none."""
        if self.scale is None:
            return
        for number, rate in enumerate(RATES):
            if rate.service == call.service and rate.actions.fullmatch(call.action):
                bucket = (number, call.region, "" if rate.shared else call.action)
                if not self._take(bucket, rate.size * self.scale, rate.refill * self.scale):
                    raise Refused("RequestLimitExceeded" if call.service == "ec2" else "Throttling")
                return

    def _take(self, bucket: tuple[int, str, str], size: float, refill: float) -> bool:
        now = time.monotonic()
        level, seen = self._levels.get(bucket, (size, now))
        level = min(size, level + (now - seen) * refill)
        self._levels[bucket] = (level - 1 if level >= 1 else level, now)
        return level >= 1
