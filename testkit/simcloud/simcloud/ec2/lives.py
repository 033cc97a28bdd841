"""The lives of instances: pending, running, impaired, stopped, gone. moto's know only the ends of them.

Every instance passes through here however it was launched. In a cloud with machines each life has one, which `bodies`
gives and takes; without, an instance has a life only.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, StateReason

from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
NUMBERS = itertools.count(1)


class Bodies(Protocol):
    """What gives instances machines."""

    def boot(self, instance: Any) -> None:
        """Starts to boot a machine; returns at once."""

    def reboot(self, instance: Any) -> None:
        """Starts to boot a machine again."""

    def state(self, instance_id: str) -> str | None:
        """Returns `booting`, `up`, `failed`, `off`, `halted` if it has switched itself off, or None if there is none."""

    def take(self, instance_id: str, for_good: bool) -> None:
        """Switches a machine off; its disk goes too if `for_good`."""


@dataclass
class Misboot:
    """What goes wrong with boots: `fail` ends the instance, `stuck` leaves it pending, `dead` runs without a system."""

    how: str
    times: int
    zone: str | None = None
    kind: str | None = None

    def wanted(self, instance: Any) -> bool:
        """Tells whether this is for `instance`, and counts it if so."""
        fits = self.zone in (None, instance.availability_zone) and self.kind in (None, instance.instance_type)
        if fits and self.times > 0:
            self.times -= 1
            return True
        return False


@dataclass
class Life:
    """One instance's; times are `time.monotonic()`."""

    instance: Any
    number: int
    born: float
    reserved: str
    next_state: str | None = None
    next_at: float = 0.0
    running_since: float = 0.0
    lost_at: float | None = None
    ended_at: float | None = None
    spot_end: float | None = None
    maintenance: list[dict[str, str]] = field(default_factory=list)
    misboot: str | None = None


@dataclass
class Lives:
    """All instances that were ever launched, by id."""

    cloud: Cloud
    bodies: Bodies | None = None
    lives: dict[str, Life] = field(default_factory=dict)
    misboots: list[Misboot] = field(default_factory=list)
    zones_cut: dict[str, float] = field(default_factory=dict)

    def install(self) -> None:
        """Makes moto's instances live these lives."""
        amend(InstanceBackend, "run_instances", self._run)
        for name in ("start", "stop", "terminate", "reboot"):
            amend(Instance, name, getattr(self, f"_{name}"))
        Instance.instance_status = property(self._checks)  # type: ignore[assignment]
        Instance.system_status = property(self._checks)  # type: ignore[assignment]

    def hidden(self, instance_id: str) -> bool:
        """Tells whether an instance is too new for the calls of others to know it."""
        life = self.lives.get(instance_id)
        return life is not None and time.monotonic() - life.born < self.cloud.times.lag

    def find(self, instance_id: str) -> Any | None:
        """Returns moto's instance."""
        life = self.lives.get(instance_id)
        return life.instance if life else None

    def lose(self, instance_id: str) -> None:
        """Has a machine lost without EC2's doing: it still says running, until the status checks notice."""
        self.lives[instance_id].lost_at = time.monotonic()

    def recover(self, instance_id: str) -> None:
        """Has a machine that was lost answer again."""
        self.lives[instance_id].lost_at = None

    def cut(self, zone: str, off: bool) -> None:
        """Has a whole zone lost, or answering again."""
        if off:
            self.zones_cut.setdefault(zone, time.monotonic())
        else:
            self.zones_cut.pop(zone, None)

    def lost_since(self, life: Life) -> float | None:
        """Returns since when a machine does not answer, if it does not."""
        return life.lost_at if life.lost_at is not None else self.zones_cut.get(life.instance.availability_zone)

    def interrupt(self, instance_id: str, seconds: float) -> None:
        """Announces the end of a spot instance."""
        self.lives[instance_id].spot_end = time.monotonic() + seconds

    def plan(self, instance_id: str, code: str, seconds: float) -> None:
        """Plans maintenance of an instance's machine; whoever asks for it may do the rest with `kill`."""
        begins = datetime.now(UTC) + timedelta(seconds=seconds)
        event = {
            "NotBefore": begins.strftime("%d %b %Y %H:%M:%S GMT"),
            "NotAfter": (begins + timedelta(hours=2)).strftime("%d %b %Y %H:%M:%S GMT"),
            "Code": code,
            "Description": f"The instance is scheduled for {code}",
            "EventId": f"instance-event-{secrets.token_hex(8)}",
            "State": "active",
        }
        self.lives[instance_id].maintenance.append(event)

    def advance(self) -> None:
        """Brings every life up to the present time."""
        now = time.monotonic()
        for life in list(self.lives.values()):
            if life.spot_end is not None and now >= life.spot_end and life.instance.state == "running":
                life.instance.terminate()
                life.instance.state_reason = StateReason(
                    "Server.SpotInstanceTermination: Spot instance termination", "Server.SpotInstanceTermination"
                )
            if life.next_state is not None and now >= life.next_at:
                self._enter(life, life.next_state, now)
            self._follow(life)
            if life.ended_at is not None and now - life.ended_at > self.cloud.times.shown:
                self._forget(life)

    def _run(self, moto: Any, backend: Any, *args: Any, **kwargs: Any) -> Any:
        reservation = moto(backend, *args, **kwargs)
        for instance in reservation.instances:
            life = Life(instance, next(NUMBERS), time.monotonic(), reservation.id)
            self.lives[instance.id] = life
            life.misboot = next((each.how for each in self.misboots if each.wanted(instance)), None)
            self._begin(life)
        return reservation

    def _begin(self, life: Life) -> None:
        _set_state(life.instance, "pending")
        life.next_state, life.next_at = "running", time.monotonic() + self.cloud.times.boot
        if life.misboot == "stuck":
            life.next_at = float("inf")
        elif self.bodies is not None and life.misboot is None:
            self.bodies.boot(life.instance)

    def _enter(self, life: Life, state: str, now: float) -> None:
        body = self.bodies.state(life.instance.id) if self.bodies else None
        if state in ("stopped", "terminated") and body in ("booting", "up"):
            return
        if state == "running":
            if body == "booting":
                return
            if life.misboot == "fail" or body == "failed":
                self._fail(life, now)
                return
            life.running_since = now
            life.lost_at = now if life.misboot == "dead" else None
        life.next_state = None
        if state == "terminated":
            life.ended_at = now
            _free_addresses(life.instance)
        _set_state(life.instance, state)

    def _follow(self, life: Life) -> None:
        """Stops or terminates an instance whose machine has switched itself off, as the launch said."""
        if self.bodies is None or life.instance.state != "running":
            return
        if self.bodies.state(life.instance.id) == "halted":
            ends = life.instance.instance_initiated_shutdown_behavior == "terminate"
            (life.instance.terminate if ends else life.instance.stop)()

    def _fail(self, life: Life, now: float) -> None:
        life.instance.terminate()
        _set_state(life.instance, "terminated")
        life.instance.state_reason = StateReason("Server.InternalError: Internal error on launch", "Server.InternalError")
        life.next_state, life.ended_at = None, now

    def _forget(self, life: Life) -> None:
        reservation = life.instance.ec2_backend.reservations.get(life.reserved)
        if reservation is not None:
            reservation.instances = [each for each in reservation.instances if each is not life.instance]
        del self.lives[life.instance.id]

    def _start(self, moto: Any, instance: Any) -> Any:
        if instance.state not in ("stopped", "running", "pending"):
            message = f"The instance '{instance.id}' is not in a state from which it can be started."
            raise Refused("IncorrectInstanceState", message)
        if instance.state != "stopped":
            return InstanceState(instance.state, instance.state_code)
        previous = moto(instance)
        life = self.lives[instance.id]
        life.lost_at = None
        self._begin(life)
        return previous

    def _stop(self, moto: Any, instance: Any) -> Any:
        return self._end(moto, instance, "stopping", "stopped")

    def _terminate(self, moto: Any, instance: Any) -> Any:
        if instance.state in ("shutting-down", "terminated"):
            return InstanceState(instance.state, instance.state_code)
        return self._end(moto, instance, "shutting-down", "terminated")

    def _end(self, moto: Any, instance: Any, passing: str, final: str) -> Any:
        previous = moto(instance)
        life = self.lives[instance.id]
        _set_state(instance, passing)
        life.next_state, life.next_at = final, time.monotonic() + self.cloud.times.stop
        life.spot_end = None
        if self.bodies is not None:
            self.bodies.take(instance.id, for_good=final == "terminated")
        return previous

    def _reboot(self, moto: Any, instance: Any) -> None:
        life = self.lives[instance.id]
        life.lost_at = None
        life.running_since = time.monotonic()
        if self.bodies is not None:
            self.bodies.reboot(instance)

    def _checks(self, instance: Any) -> dict[str, Any]:
        if instance.state != "running":
            return {"Status": "not-applicable"}
        life, times, now = self.lives[instance.id], self.cloud.times, time.monotonic()
        lost = self.lost_since(life)
        if lost is not None and now - lost > times.impaired:
            status, detail = "impaired", "failed"
        elif now - life.running_since < times.checks:
            status, detail = "initializing", "initializing"
        else:
            status, detail = "ok", "passed"
        return {"Status": status, "Details": [{"Name": "reachability", "Status": detail}]}


def _set_state(instance: Any, name: str) -> None:
    # A state of its own: moto hands the object out as the previous state.
    instance._state = InstanceState(name, CODES[name])


def _free_addresses(instance: Any) -> None:
    # moto does so when Python collects the instance, which is never while it is shown.
    with contextlib.suppress(Exception):
        subnet = instance.ec2_backend.get_subnet(instance.subnet_id)
        for address in instance._private_ips:
            subnet.del_subnet_ip(address)
        instance._private_ips.clear()
