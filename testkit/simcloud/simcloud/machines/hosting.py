"""All machines of a cloud: gives instances theirs, takes them, harms them, and keeps the firewall what it should be."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..cloud import Cloud
from . import firewall, membership
from .command import run
from .firewall import Member
from .machine import Machine
from .network import Network

# As many boot at the same time; the rest wait.
BOOTS_AT_ONCE = 16


class Hosting:
    """Machines by the id of their instance."""

    def __init__(self, directory: Path, rootfs: str, shared: list[str]):
        self.directory, self.rootfs, self.shared = directory, rootfs, shared
        self.network = Network()
        self.nodes: Callable[[], list[Member]] = list
        self.cloud: Cloud | None = None
        self._machines: dict[str, Machine] = {}
        self._images: dict[str, list[str]] = {}
        self._lost: set[str] = set()
        self._cut: set[str] = set()
        self._rules = ""
        self._rules_lock = threading.Lock()
        self._work = ThreadPoolExecutor(BOOTS_AT_ONCE, thread_name_prefix="boot")

    def boot(self, instance: Any) -> None:
        """Starts to boot an instance's machine, a new one if it has none."""
        machine = self._machines.get(instance.id)
        if machine is None:
            layers = [*self._images.get(instance.image_id, []), self.rootfs]
            place = self.directory / "machines" / instance.id
            machine = Machine(instance.id, instance.private_ip, place, layers, self.shared)
            self._machines[instance.id] = machine
        machine.state = "booting"
        self._work.submit(self._boot, machine, instance)

    def reboot(self, instance: Any) -> None:
        """Shuts a machine down, then boots it again."""
        machine = self._machines.get(instance.id)
        if machine is not None:
            self._work.submit(self._reboot, machine, instance)

    def state(self, instance_id: str) -> str | None:
        """Returns `booting`, `up`, `failed`, `off`, or `halted` if it has switched itself off."""
        machine = self._machines.get(instance_id)
        return machine.look() if machine else None

    def take(self, instance_id: str, for_good: bool) -> None:
        """Shuts a machine down in a while."""
        machine = self._machines.get(instance_id)
        if machine is not None:
            self._work.submit(self._take, machine, for_good)

    def harm(self, instance_id: str, how: str) -> None:
        """Does `power`, `network`, `connect`, `freeze` or `thaw` to a machine."""
        machine = self._machines[instance_id]
        if how == "power":
            self._lost.add(machine.address)
            machine.power_off()
        elif how == "network":
            self._lost.add(machine.address)
        elif how == "connect":
            self._lost.discard(machine.address)
        else:
            machine.freeze(how == "freeze")
        self.guard()

    def cut(self, zone: str, off: bool) -> None:
        """Takes a zone off the network, or puts it back."""
        (self._cut.add if off else self._cut.discard)(zone)
        self.guard()

    def is_cut(self, zone: str) -> bool:
        """Tells whether a zone is off the network."""
        return zone in self._cut

    def find(self, address: str) -> Machine | None:
        """Returns the machine that has an address and is up."""
        return next((each for each in self._machines.values() if each.address == address and each.state == "up"), None)

    def running(self, instance_id: str) -> Machine | None:
        """Returns an instance's machine if it is up."""
        machine = self._machines.get(instance_id)
        return machine if machine is not None and machine.state == "up" else None

    def console(self, instance_id: str) -> bytes:
        """Returns what a machine has printed."""
        machine = self._machines.get(instance_id)
        return machine.console.read_bytes() if machine is not None and machine.console.exists() else b""

    def keep_disk(self, instance_id: str, image_id: str) -> None:
        """Makes an image of what a machine has written on top of its own."""
        machine = self._machines[instance_id]
        layer = self.directory / "images" / image_id
        layer.parent.mkdir(exist_ok=True)
        run("cp", "--archive", str(machine.directory / "upper"), str(layer))
        self._images[image_id] = [str(layer), *machine.layers[:-1]]

    def describe(self) -> dict[str, Any]:
        """Returns all machines, for the control API."""
        return {
            each.instance_id: {
                "state": each.state,
                "address": each.address,
                "process": each.process.pid if each.process else None,
                "frozen": each.frozen,
                "lost": each.address in self._lost,
            }
            for each in list(self._machines.values())
        }

    def guard(self) -> None:
        """Brings the firewall up to date, if anything has changed."""
        assert self.cloud is not None
        with self._rules_lock:
            with self.cloud.lock:
                present = [life.instance for life in self.cloud.lives.lives.values()]
                present = [each for each in present if each.id in self._machines and each.state != "terminated"]
                members = [membership.machine(each) for each in present]
                rules = firewall.render(membership.groups(), members + self.nodes(), self._lost, self._cut)
            if rules != self._rules:
                run("nft", "--file", "-", said=rules)
                self._rules = rules

    def _reboot(self, machine: Machine, instance: Any) -> None:
        self._take(machine, for_good=False)
        machine.state = "booting"
        self._boot(machine, instance)

    def _boot(self, machine: Machine, instance: Any) -> None:
        with machine.lock:
            # One that was taken before its turn came is not wanted any more.
            if machine.state == "booting":
                self._start(machine, instance)

    def _start(self, machine: Machine, instance: Any) -> None:
        assert self.cloud is not None
        self._lost.discard(machine.address)
        try:
            with self.cloud.lock:
                backend, user_data = instance.ec2_backend, _user_data(instance)
                subnet = backend.get_subnet(instance.subnet_id)
                self.network.know(backend.get_vpc(subnet.vpc_id))
            process = machine.power_on(user_data)
            self.network.connect(process, machine.link, machine.address, subnet)
            self.guard()
            machine.go()
        except OSError as broken:
            print(f"{machine.instance_id} does not boot: {broken}", file=sys.stderr)
            machine.power_off()
            machine.state = "failed"

    def _take(self, machine: Machine, for_good: bool) -> None:
        assert self.cloud is not None
        with machine.lock:
            machine.shut_down(self.cloud.times.stop)
            if for_good:
                self._lost.discard(machine.address)
                machine.discard()
                self._machines.pop(machine.instance_id, None)


def _user_data(instance: Any) -> bytes:
    return base64.b64decode(str(instance.user_data)) if instance.user_data else b""


def storage() -> Path:
    """Returns a place in memory that only the enclosure has, and that ends with it."""
    place = next(each for each in (Path("/mnt"), Path("/media"), Path("/srv")) if each.is_dir())
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(place))
    return place
