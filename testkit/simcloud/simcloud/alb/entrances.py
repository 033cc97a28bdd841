"""The load balancers of a cloud with machines: gives each addresses and a proxy, and keeps both as moto's state wants."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.acm.models import acm_backends

from .. import account
from ..cloud import Cloud
from ..elb.health import Target, served
from ..machines import membership
from ..machines.firewall import Member
from ..machines.hosting import Hosting
from .config import Backend, Place, backend_name, render, slots_for
from .process import Proxy, Wanted

TURN_SECONDS = 0.1


@dataclass
class Node:
    """One of a load balancer's addresses, in a subnet."""

    address: str
    subnet: Any

    @property
    def zone(self) -> str:
        """Returns the zone that it is in."""
        return str(self.subnet.availability_zone)


class Entrances:
    """All load balancers, by ARN."""

    def __init__(self, cloud: Cloud, hosting: Hosting, directory: Path):
        self.cloud, self.hosting, self.directory = cloud, hosting, directory
        self._nodes: dict[str, list[Node]] = {}
        self._proxies: dict[str, Proxy] = {}

    def keep_up(self) -> None:
        """Begins to follow what the API says."""
        threading.Thread(target=self._loop, name="entrances", daemon=True).start()

    def addresses(self, arn: str) -> list[dict[str, str]]:
        """Returns a load balancer's addresses with their zones."""
        return [{"address": each.address, "zone": each.zone} for each in self._nodes.get(arn, [])]

    def members(self) -> list[Member]:
        """Returns the nodes as the firewall sees them."""
        found = {each.arn: each for each in account.load_balancers()}
        return [
            membership.node(found[arn], each.address, each.zone)
            for arn, nodes in self._nodes.items()
            if arn in found
            for each in nodes
        ]

    def source(self, group: str) -> str | None:
        """Returns the address that health checks of a target group come from."""
        with self.cloud.lock:
            users = account.users().get(group, [])
            return self._source(users[0].arn) if users else None

    def address_of(self, target: Target) -> str | None:
        """Returns where a target is."""
        if not target.id.startswith("i-"):
            return target.id
        instance = self.cloud.lives.find(target.id)
        return instance.private_ip if instance is not None else None

    def _loop(self) -> None:
        pause = threading.Event()
        while not pause.wait(TURN_SECONDS):
            try:
                self._turn()
            except Exception:
                traceback.print_exc(file=sys.stderr)

    def _turn(self) -> None:
        with self.cloud.lock:
            balancers = {each.arn: each for each in account.load_balancers()}
            for balancer in balancers.values():
                balancer.activate()
                self._place(balancer)
        for arn in set(self._proxies) - set(balancers):
            self._remove(arn)
        self.hosting.guard()
        for balancer in balancers.values():
            if balancer.state == "active":
                self._direct(balancer)

    def _place(self, balancer: Any) -> None:
        """Gives a load balancer one address in each of its subnets, and no other."""
        nodes, wanted = self._nodes.setdefault(balancer.arn, []), {each.id: each for each in balancer.subnets}
        for node in [each for each in nodes if each.subnet.id not in wanted]:
            nodes.remove(node)
            self._release(node)
        for subnet in wanted.values():
            if all(each.subnet.id != subnet.id for each in nodes):
                self.hosting.network.know(subnet.ec2_backend.get_vpc(subnet.vpc_id))
                node = Node(subnet.get_available_subnet_ip(balancer), subnet)
                self.hosting.network.add_address(node.address)
                nodes.append(node)

    def _release(self, node: Node) -> None:
        self.hosting.network.remove_address(node.address)
        with contextlib.suppress(Exception):
            node.subnet.del_subnet_ip(node.address)

    def _remove(self, arn: str) -> None:
        self._proxies.pop(arn).end()
        for node in self._nodes.pop(arn, []):
            self._release(node)

    def _source(self, arn: str) -> str | None:
        nodes = self._nodes.get(arn, [])
        good = [each for each in nodes if not self.hosting.is_cut(each.zone)]
        return (good or nodes)[0].address if nodes else None

    def _direct(self, balancer: Any) -> None:
        if balancer.arn not in self._proxies:
            place = self.directory / balancer.arn.rpartition("/")[2]
            place.mkdir(parents=True)
            self._proxies[balancer.arn] = Proxy(place)
        proxy = self._proxies[balancer.arn]
        with self.cloud.lock:
            groups = [
                account.elb(balancer.arn.split(":")[3]).target_groups[arn] for arn in sorted(account.groups_used(balancer))
            ]
            targets = {each.arn: self.cloud.targets.of(each.arn) for each in groups}
            backends = [Backend(each, slots_for(len(targets[each.arn]))) for each in groups]
            nodes = tuple(each.address for each in self._nodes[balancer.arn])
            place = Place(proxy.socket, nodes, self._source(balancer.arn) or nodes[0])
            certificates = self._certificates(balancer)
            config = render(balancer, place, backends, certificates) if balancer.listeners else ""
            wanted = {backend_name(arn): self._wanted(found) for arn, found in targets.items()}
        if not config:
            proxy.end()
            proxy.config = ""
            return
        proxy.configure(config, wanted)
        for backend, slots in wanted.items():
            proxy.direct(backend, slots)

    def _wanted(self, targets: list[Target]) -> Wanted:
        taking = {(each.id, each.port) for each in served(targets)}
        found: Wanted = {}
        for target in targets:
            address = self.address_of(target)
            if address is not None and target.state != "unused":
                key = (target.id, target.port)
                # One that drains finishes what it has, and gets nothing new, not even by a cookie.
                found[key] = (address, "ready" if key in taking else "maint")
        return found

    def _certificates(self, balancer: Any) -> dict[str, str]:
        """Writes the certificates of a load balancer's listeners where HAProxy reads them; returns files by ARN."""
        files = {}
        store = acm_backends[account.ACCOUNT][balancer.arn.split(":")[3]]._certificates
        for listener in balancer.listeners.values():
            for arn in listener.certificates:
                if arn in store:
                    path = self.directory / f"{arn.rpartition('/')[2]}.pem"
                    if not path.exists():
                        path.write_bytes(store[arn].cert + b"\n" + store[arn].key)
                    files[arn] = str(path)
        return files
