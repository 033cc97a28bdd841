"""The control API, `/_sim/…`: what a test sets, does to machines, and asks. The README's tables list its calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import parse_qs

from . import state
from .cloud import Cloud
from .ec2.lives import Misboot
from .faults import read_fault
from .wire import Answer

Json = dict[str, Any]


class Bodies(Protocol):
    """What can be done to machines, where there are some."""

    def harm(self, instance_id: str, how: str) -> None:
        """Does `power`, `network`, `freeze`, `thaw` or `connect` to a machine."""

    def cut(self, zone: str, off: bool) -> None:
        """Takes a zone off the network, or puts it back."""

    def describe(self) -> Json:
        """Returns all machines by instance id."""


class Entrances(Protocol):
    """Where load balancers listen, where they do."""

    def addresses(self, arn: str) -> list[dict[str, str]]:
        """Returns a load balancer's addresses with their zones."""


class Control:
    """Answers the control API."""

    def __init__(self, cloud: Cloud, bodies: Bodies | None = None, entrances: Entrances | None = None):
        self.cloud, self.bodies, self.entrances = cloud, bodies, entrances
        self.identity: Callable[[], Json] = dict
        self.asks: dict[str, Callable[[dict[str, list[str]]], Any]] = {
            "ready": lambda _query: {"ready": True},
            "state": lambda _query: state.dump(cloud, bodies),
            "instances": lambda _query: state.instances(cloud),
            "groups": lambda _query: state.groups(cloud),
            "calls": lambda query: cloud.calls.after(int(query.get("after", ["0"])[0])),
            "counts": lambda _query: cloud.calls.counts(),
            "faults": lambda _query: cloud.faults.describe(),
            "times": lambda _query: cloud.times.describe(),
            "limits": lambda _query: cloud.limits.describe(),
            "lbs": lambda _query: self._balancers(),
            "identity": lambda _query: self.identity(),
        }
        self.does: dict[str, Callable[[Json], Any]] = {
            "fault": self._fault,
            "release": lambda wish: cloud.faults.release(wish.get("number")),
            "clear": lambda _wish: cloud.clear(),
            "throttle": lambda wish: cloud.throttle.set_scale(wish.get("scale", 1.0)),
            "capacity": cloud.capacity.left.update,
            "lag": lambda wish: cloud.times.adjust({"lag": wish["seconds"]}),
            "times": cloud.times.adjust,
            "limits": lambda wish: cloud.limits.adjust(wish),
            "boot": self._boot,
            "expire": lambda wish: cloud.expired.add(wish["access_key_id"]),
            "renew": lambda wish: cloud.expired.discard(wish["access_key_id"]),
            "kill": self._kill,
            "cut": lambda wish: self._cut(wish["az"], True),
            "heal": lambda wish: self._cut(wish["az"], False),
            "spot": lambda wish: cloud.lives.interrupt(wish["instance_id"], float(wish.get("seconds", 120))),
            "maintenance": lambda wish: cloud.lives.plan(wish["instance_id"], wish["code"], float(wish["seconds"])),
            "health": self._health,
        }

    def answer(self, method: str, environ: dict[str, Any], body: bytes) -> Answer:
        """Returns the answer to one request; 400 tells what is wrong with it."""
        name = environ["PATH_INFO"].removeprefix("/_sim/").strip("/")
        try:
            if method == "GET" and name in self.asks:
                return _json(200, self.asks[name](parse_qs(environ.get("QUERY_STRING", ""))))
            if method == "POST" and name in self.does:
                with self.cloud.lock:
                    done = self.does[name](json.loads(body or b"{}"))
                return _json(200, done if isinstance(done, dict) else {})
        except KeyError as missing:
            return _json(400, {"error": f"{name}: there is no {missing}"})
        except (ValueError, TypeError) as wrong:
            return _json(400, {"error": f"{name}: {wrong}"})
        return _json(404, {"error": f"there is no {method} /_sim/{name}"})

    def _fault(self, wish: Json) -> Json:
        fault = read_fault(wish)
        self.cloud.faults.add(fault)
        return {"number": fault.number}

    def _boot(self, wish: Json) -> None:
        how = wish["how"]
        if how not in ("fail", "stuck", "dead"):
            raise ValueError("`how` is fail, stuck or dead")
        self.cloud.lives.misboots.append(Misboot(how, int(wish.get("times", 1)), wish.get("az"), wish.get("type")))

    def _kill(self, wish: Json) -> None:
        instance_id, how = wish["instance_id"], wish.get("how", "power")
        instance = self.cloud.lives.lives[instance_id].instance
        if how == "terminate":
            instance.terminate()
            return
        if how not in ("power", "network", "freeze", "thaw", "connect"):
            raise ValueError("`how` is power, network, freeze, thaw, connect or terminate")
        if self.bodies is not None:
            self.bodies.harm(instance_id, how)
        if how in ("thaw", "connect"):
            self.cloud.lives.recover(instance_id)
        else:
            self.cloud.lives.lose(instance_id)

    def _cut(self, zone: str, off: bool) -> None:
        if self.bodies is not None:
            self.bodies.cut(zone, off)
        self.cloud.lives.cut(zone, off)

    def _health(self, wish: Json) -> Json:
        changed = self.cloud.targets.tell(wish["group"], wish["id"], wish.get("port"), wish.get("state"), wish.get("reason"))
        return {"changed": changed}

    def _balancers(self) -> Json:
        shown = state.balancers(self.cloud)
        for arn, balancer in shown.items():
            balancer["addresses"] = self.entrances.addresses(arn) if self.entrances else []
        return shown


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value, default=str).encode(), [("Content-Type", "application/json")])
