"""Registered targets, by id and port: what registers them, what their state is, and when they are gone.

moto knows targets by id alone, and all as healthy. In a cloud with machines `checks` asks them; without, a target becomes
healthy by itself unless its instance is lost or a test has told otherwise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from .. import account
from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused
from .health import Target, Thresholds, judge

Key = tuple[str, int]


@dataclass
class TargetGroups:
    """All targets, by the ARN of their group, then by id and port."""

    cloud: Cloud
    probed: bool = False
    groups: dict[str, dict[Key, Target]] = field(default_factory=dict)

    def install(self) -> None:
        """Makes moto's groups have these targets."""
        amend(ELBv2Backend, "register_targets", self._register)
        amend(ELBv2Backend, "deregister_targets", self._deregister)
        amend(ELBv2Backend, "describe_target_health", self._describe)
        amend(FakeTargetGroup, "deregister_terminated_instances", lambda _moto, _group, _ids: None)

    def of(self, arn: str) -> list[Target]:
        """Returns the targets of a group, those that drain too."""
        return list(self.groups.get(arn, {}).values())

    def advance(self) -> list[tuple[Any, Target]]:
        """Brings all targets up to the present; returns those that are due for a check, with their groups."""
        now, users, due = time.monotonic(), account.users(), []
        for backend in account.elb_regions():
            for arn, targets in list(self.groups.items()):
                group = backend.target_groups.get(arn)
                if group is None:
                    if arn.split(":")[3] == backend.region_name:
                        del self.groups[arn]
                    continue
                zones = {subnet.availability_zone for each in users.get(arn, []) for subnet in each.subnets}
                for target in list(targets.values()):
                    if target.state == "draining" and now >= target.gone_at:
                        del targets[target.id, target.port]
                    elif self._place(group, target, zones, now) and now >= target.next_check and not target.checking:
                        target.next_check = now + float(group.health_check_interval_seconds) * self.cloud.times.health_scale
                        due.append((group, target))
        if self.probed:
            return due
        for group, target in due:
            self._suppose(group, target)
        return []

    def tell(self, group: str, instance: str, port: int | None, state: str | None, reason: str | None) -> int:
        """Sets the state of targets by hand, or with None lets checks decide again; returns how many there were."""
        changed = 0
        for arn, targets in self.groups.items():
            for target in targets.values():
                if group in (arn, arn.split("/")[1]) and target.id == instance and port in (None, target.port):
                    target.begin(time.monotonic())
                    if state is not None:
                        target.enter(state, reason)
                        target.told = True
                    changed += 1
        return changed

    def _place(self, group: Any, target: Target, zones: set[str], now: float) -> bool:
        """Puts a target into the state that its circumstances demand; tells whether it may be checked."""
        if target.state == "draining":
            return False
        instance = self.cloud.lives.find(target.id)
        if target.id.startswith("i-"):
            if instance is None or instance.state in ("shutting-down", "terminated"):
                self._drain(group, target, now)
                return False
            if instance.state in ("stopping", "stopped"):
                target.enter("unused", "Target.InvalidState")
                return False
        if not zones or (instance is not None and instance.availability_zone not in zones):
            target.enter("unused", "Target.NotInUse")
            return False
        if target.state == "unused" and not target.told:
            target.begin(now + self.cloud.times.register)
        return not target.told

    def _suppose(self, group: Any, target: Target) -> None:
        life = self.cloud.lives.lives.get(target.id)
        lost = life is not None and self.cloud.lives.lost_since(life) is not None
        judge(target, "Target.Timeout" if lost else None, thresholds_of(group))

    def _drain(self, group: Any, target: Target, now: float) -> None:
        delay = float(group.attributes.get("deregistration_delay.timeout_seconds", 300))
        target.enter("draining", "Target.DeregistrationInProgress")
        target.gone_at = now + delay * self.cloud.times.drain_scale

    def _register(self, _moto: Any, backend: Any, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        group = _group(backend, target_group_arn)
        for wish in instances:
            self._check(group, wish)
        present = self.groups.get(group.arn, {})
        new = {key for key in (_key(group, wish) for wish in instances) if key not in present}
        self._check_room(backend, group, len(new))
        self._add(group, instances)

    def _add(self, group: Any, instances: list[dict[str, Any]]) -> None:
        targets = self.groups.setdefault(group.arn, {})
        used = group.arn in account.users()
        for wish in instances:
            key = _key(group, wish)
            # Registering one that drains ends its draining.
            if key not in targets or targets[key].state == "draining":
                targets[key] = Target(*key)
                if used:
                    targets[key].begin(time.monotonic() + self.cloud.times.register)

    def _check(self, group: Any, wish: dict[str, Any]) -> None:
        if group.target_type != "instance":
            return
        name = wish["Id"]
        instance = self.cloud.lives.find(name)
        if instance is None or self.cloud.lives.hidden(name) or instance.vpc_id != group.vpc_id:
            message = f"The following targets are not in the target group VPC '{group.vpc_id}': '{name}'"
            raise Refused("InvalidTarget", message)
        if instance.state != "running":
            message = f"The following targets are not in a running state and cannot be registered: '{name}'"
            raise Refused("InvalidTarget", message)

    def _check_room(self, backend: Any, group: Any, new: int) -> None:
        limits = self.cloud.limits
        if len(self.groups.get(group.arn, {})) + new > limits.targets_per_group:
            raise Refused("TooManyTargets", f"You've reached the limit on targets of '{group.arn}'")
        for balancer in backend.load_balancers.values():
            used = account.groups_used(balancer)
            if group.arn in used and sum(len(self.groups.get(arn, {})) for arn in used) + new > limits.targets_per_balancer:
                raise Refused("TooManyTargets", f"You've reached the limit on targets of '{balancer.arn}'")

    def _deregister(self, _moto: Any, backend: Any, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        group, now = _group(backend, target_group_arn), time.monotonic()
        for target in self.of(group.arn):
            for wish in instances:
                if target.id == wish["Id"] and wish.get("Port") in (None, target.port) and target.state != "draining":
                    self._drain(group, target, now)

    def _describe(
        self, _moto: Any, backend: Any, target_group_arn: str, targets: list[dict[str, Any]]
    ) -> list[FakeHealthStatus]:
        group = _group(backend, target_group_arn)
        found = self.of(group.arn)
        if targets:
            asked, found = found, []
            for wish in targets:
                hits = [each for each in asked if each.id == wish["Id"] and wish.get("Port") in (None, each.port)]
                found += hits or [Target(*_key(group, wish), reason="Target.NotRegistered")]
        fixed = None if group.health_check_port == "traffic-port" else str(group.health_check_port)
        return [
            FakeHealthStatus(each.id, str(each.port), fixed or str(each.port), each.state, each.reason, each.description)
            for each in found
        ]


def thresholds_of(group: Any) -> Thresholds:
    """Returns a group's thresholds."""
    return Thresholds(int(group.healthy_threshold_count), int(group.unhealthy_threshold_count))


def _group(backend: Any, arn: str) -> Any:
    if arn not in backend.target_groups:
        raise Refused("TargetGroupNotFound", "One or more target groups not found")
    return backend.target_groups[arn]


def _key(group: Any, wish: dict[str, Any]) -> Key:
    return wish["Id"], int(wish.get("Port") or group.port)
