"""Times and limits of the cloud; both can be changed while it runs, so that a test of a limit is short."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


class Adjustable:
    """A dataclass of numbers that the control API may set by name."""

    def adjust(self, wishes: dict[str, Any]) -> None:
        """Sets the named values; ValueError names those that there are not."""
        known = {each.name: each.type for each in fields(self)}  # type: ignore[arg-type]
        unknown = set(wishes) - set(known)
        if unknown:
            raise ValueError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
        for name, value in wishes.items():
            setattr(self, name, type(getattr(self, name))(value))

    def describe(self) -> dict[str, Any]:
        """Returns all values by name."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass
class Times(Adjustable):
    """How long things take, in seconds; AWS needs longer for nearly all of them."""

    boot: float = 0.3
    """From `pending` to `running`."""
    checks: float = 1.0
    """From `running` until the status checks are `ok`."""
    impaired: float = 2.0
    """From the loss of a machine until its status checks say `impaired`."""
    stop: float = 0.2
    """From `shutting-down` to `terminated`, and from `stopping` to `stopped`."""
    shown: float = 3600.0
    """From `terminated` until an instance is described no more."""
    image: float = 1.0
    """From CreateImage to `available`."""
    provision: float = 0.3
    """From CreateLoadBalancer to `active`."""
    register: float = 0.2
    """From RegisterTargets to the first health check."""
    lag: float = 0.0
    """How long a new instance or instance profile is unknown to all calls but the one that made it."""
    health_scale: float = 1.0
    """Factor for intervals and time limits of health checks, which the API allows from 5 s and 2 s on."""
    drain_scale: float = 1.0
    """Factor for deregistration delays."""


@dataclass
class Limits(Adjustable):
    """AWS's default quotas; see "Quotas for your Application Load Balancers" and EC2's service quotas."""

    rules_per_balancer: int = 100
    groups_per_balancer: int = 100
    targets_per_balancer: int = 1000
    targets_per_group: int = 1000
    listeners_per_balancer: int = 50
    groups_per_action: int = 5
    values_per_rule: int = 5
    balancers: int = 50
    groups: int = 3000
    instances: int = 100_000
    vcpus: int = 1_000_000
