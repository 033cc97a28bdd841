"""Links and routes: every machine has a line of its own to the core, which is the VPC's router.

Nothing is bridged, so that all packets between machines meet the firewall, as in a VPC. An address that nobody has is a
black hole, not an error.
"""

from __future__ import annotations

import contextlib
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from .. import enclosure
from .command import run

METADATA_ADDRESS = "169.254.169.254"
INTERNET_LINK = "internet0"
NOWHERE_LINK = "nowhere"


class Network:
    """The core's side of all lines."""

    def __init__(self) -> None:
        self._routed: set[str] = set()
        _set("net/ipv4/ip_forward", "1")
        _set("net/ipv4/conf/all/rp_filter", "0")
        _set("net/ipv4/conf/default/rp_filter", "0")
        for which in ("all", "default"):
            # There may be no IPv6 here at all.
            with contextlib.suppress(OSError):
                _set(f"net/ipv6/conf/{which}/disable_ipv6", "1")
        _ip(
            "link set lo up",
            f"addr add {METADATA_ADDRESS}/32 dev lo",
            f"addr add {enclosure.INSIDE_ADDRESS}/32 dev lo",
            # Not every kernel has dummy interfaces; what is sent into this one is for nobody at its other end.
            f"link add {NOWHERE_LINK} type veth peer name {NOWHERE_LINK}-end",
            f"link set {NOWHERE_LINK} arp off up",
            f"link set {NOWHERE_LINK}-end up",
        )
        self.internet = self._neighbour()

    def _neighbour(self) -> subprocess.Popen[bytes]:
        """Starts the process that keeps the internet's namespace, and connects that."""
        script = "echo there; exec -a simcloud-internet sleep infinity"
        process = subprocess.Popen(["unshare", "--net", "bash", "-c", script], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        _ip(
            f"link add {INTERNET_LINK} type veth peer name eth0 netns {process.pid}",
            f"addr add {enclosure.INTERNET_ROUTER}/24 dev {INTERNET_LINK}",
            f"link set {INTERNET_LINK} up",
        )
        _ip(
            "link set lo up",
            f"addr add {enclosure.INTERNET_ADDRESS}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {enclosure.INTERNET_ROUTER}",
            inside=process.pid,
        )
        return process

    def know(self, vpc: Any) -> None:
        """Makes the addresses of a VPC ones that are routed, though to nowhere as long as nobody has them."""
        for block in vpc.get_cidr_block_association_set():
            cidr = block["cidr_block"]
            if cidr not in self._routed:
                _ip(f"route replace {cidr} dev {NOWHERE_LINK}")
                self._routed.add(cidr)

    def connect(self, process: int, link: str, address: str, subnet: Any) -> None:
        """Gives the network namespace of `process` an interface in a subnet."""
        net = ip_network(subnet.cidr_block)
        router = net[1]
        # That of a machine which has just been switched off goes when the kernel gets to it.
        with contextlib.suppress(OSError):
            _ip(f"link del {link}")
        _ip(
            f"link add {link} type veth peer name eth0 netns {process}",
            f"addr add {router}/32 dev {link}",
            f"link set {link} up",
            f"route replace {address}/32 dev {link}",
        )
        _ip(
            "link set lo up",
            f"addr add {address}/{net.prefixlen} dev eth0 noprefixroute",
            "link set eth0 up",
            f"route add {router} dev eth0 scope link",
            f"route add default via {router}",
            inside=process,
        )

    def add_address(self, address: str) -> None:
        """Makes the core answer to an address, as a node of a load balancer."""
        _ip(f"addr replace {address}/32 dev lo")

    def remove_address(self, address: str) -> None:
        """Ends that."""
        with contextlib.suppress(OSError):
            _ip(f"addr del {address}/32 dev lo")


def _ip(*commands: str, inside: int | None = None) -> None:
    words = ["ip", "-batch", "-"]
    if inside is not None:
        words = ["nsenter", f"--net=/proc/{inside}/ns/net", *words]
    run(*words, said="\n".join(commands) + "\n")


def _set(name: str, value: str) -> None:
    Path("/proc/sys", name).write_text(value)
