"""How the result of one health check changes a target: pure, so that ALB's rules can be read and tested in one place.

From "Health checks for Application Load Balancer target groups": the first pass after registration makes a target
healthy; afterwards the group's thresholds count.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DESCRIPTIONS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.InvalidState": "Target is in the stopped state",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.Timeout": "Request timed out",
}


@dataclass
class Target:
    """One registration, of an instance id or address, and a port. Times are `time.monotonic()`."""

    id: str
    port: int
    state: str = "unused"
    reason: str | None = "Target.NotInUse"
    detail: str | None = None
    passes: int = 0
    failures: int = 0
    next_check: float = 0.0
    gone_at: float = 0.0
    told: bool = field(default=False)
    """Whether a test has set the state, so that checks do not."""
    checking: bool = field(default=False)

    @property
    def description(self) -> str | None:
        """Returns the words that go with the reason."""
        return self.detail or (DESCRIPTIONS.get(self.reason, self.reason) if self.reason else None)

    def enter(self, state: str, reason: str | None = None, detail: str | None = None) -> None:
        """Goes over to another state."""
        self.state, self.reason, self.detail = state, reason, detail

    def begin(self, first_check: float) -> None:
        """Starts over as one that was just registered."""
        self.enter("initial", "Elb.RegistrationInProgress")
        self.passes = self.failures = 0
        self.next_check = first_check
        self.told = False


@dataclass(frozen=True)
class Thresholds:
    """After how many checks in a row a target changes."""

    healthy: int
    unhealthy: int


def judge(target: Target, failure: str | None, thresholds: Thresholds, detail: str | None = None) -> None:
    """Counts one check, passed if there is no `failure` (the reason that ELB would give)."""
    if target.state not in ("initial", "healthy", "unhealthy") or target.told:
        return
    if failure is None:
        target.passes, target.failures = target.passes + 1, 0
        if target.state == "initial" or target.passes >= thresholds.healthy:
            target.enter("healthy")
        return
    target.passes, target.failures = 0, target.failures + 1
    if target.failures >= thresholds.unhealthy:
        target.enter("unhealthy", failure, detail)
    elif target.state == "initial":
        target.enter("initial", "Elb.InitialHealthChecking")


def served(targets: list[Target]) -> list[Target]:
    """Returns those that get new requests; if none is healthy ELB fails open and takes all that are registered."""
    healthy = [each for each in targets if each.state == "healthy"]
    return healthy or [each for each in targets if each.state in ("initial", "unhealthy")]
