"""Security groups, enforced: pure rendering of groups and members into a ruleset of the kernel's packet filter.

All packets meet it in the core: those that machines send each other, those of load balancers' nodes, and those from and to
the internet. A packet must pass a group of its sender's on the way out and one of its receiver's on the way in; answers to
what passed do so, too. What has lost its power or network, or is in a zone that is cut off, neither sends nor receives.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .network import INTERNET_LINK, METADATA_ADDRESS

TABLE = "inet simcloud"


@dataclass(frozen=True)
class Permission:
    """One rule of a group; ports are None for all, and either a CIDR or another group is at the far end."""

    protocol: str
    first: int | None
    last: int | None
    cidr: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Group:
    """What a security group lets in and out."""

    inward: tuple[Permission, ...]
    outward: tuple[Permission, ...]


@dataclass(frozen=True)
class Member:
    """An address with its groups. `node` tells a load balancer's from a machine's; `routed`, whether it has a way out."""

    address: str
    groups: tuple[str, ...]
    zone: str
    node: bool = False
    routed: bool = False
    public: str | None = None
    open_to_internet: bool = False


def render(groups: dict[str, Group], members: list[Member], lost: set[str], cut: set[str]) -> str:
    """Returns the ruleset, which replaces the one before as a whole."""
    kinds = {kind: number for number, kind in enumerate(sorted({each.groups for each in members}))}
    nodes = [each.address for each in members if each.node]
    machines = [each for each in members if not each.node]
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    lines += [_set(f"members_{_name(group)}", _addresses(members, group)) for group in groups]
    lines += [
        _set("nodes", nodes),
        _set("machines", [each.address for each in machines]),
        _set("routed", [each.address for each in machines if each.routed]),
        _set("entrances", [each.address for each in members if each.open_to_internet]),
        _set("lost", sorted(lost)),
    ]
    for kind, number in kinds.items():
        lines += _chain(
            f"out_{number}",
            [f"{rule} goto check_receiver" for rule in _permissions(groups, kind, "outward")] + ["drop"],
        )
        lines += _chain(f"in_{number}", [f"{rule} accept" for rule in _permissions(groups, kind, "inward")] + ["drop"])
    senders = [f"{each.address} : goto out_{kinds[each.groups]}" for each in members]
    receivers = [f"{each.address} : goto in_{kinds[each.groups]}" for each in members]
    lines += _chain("check_lost", ["ip saddr @lost drop", "ip daddr @lost drop", *_cuts(members, cut)])
    lines += _chain("check_sender", [*_map("ip saddr", senders), "goto check_receiver"])
    lines += _chain("check_receiver", [*_map("ip daddr", receivers), "goto check_way"])
    # Load balancers and the internet itself are not machines, and need no way out.
    lines += _chain("check_way", ["ip saddr @routed accept", "ip saddr @machines drop", "accept"])
    lines += _hooks() + _translation(machines) + ["}"]
    return "\n".join(lines) + "\n"


def _hooks() -> list[str]:
    meets = ["jump check_lost", "ct state established,related accept"]
    metadata = f"ip daddr {METADATA_ADDRESS} accept"
    return [
        *_chain(
            "forwarded",
            [*meets, f"iifname {INTERNET_LINK} ip daddr @machines ip daddr != @entrances drop", "goto check_sender"],
            "filter hook forward priority 0; policy drop;",
        ),
        *_chain(
            "received",
            [
                metadata,
                *meets,
                f"iifname {INTERNET_LINK} ip daddr @nodes ip daddr != @entrances drop",
                "ip saddr @machines goto check_sender",
                "goto check_receiver",
            ],
            "filter hook input priority 0; policy accept;",
        ),
        *_chain(
            "sent",
            ["oifname lo accept", f"ip saddr {METADATA_ADDRESS} accept", *meets, "ip saddr @nodes goto check_sender"],
            "filter hook output priority 0; policy accept;",
        ),
    ]


def _translation(machines: list[Member]) -> list[str]:
    """Gives machines their public addresses, as an internet gateway does, and the others that of a NAT gateway."""
    public = [each for each in machines if each.public]
    inward = [f"{each.public} : {each.address}" for each in public]
    outward = [f"{each.address} : {each.public}" for each in public]
    leaving = f"oifname {INTERNET_LINK}"
    return [
        *_chain(
            "arriving",
            [f"iifname {INTERNET_LINK} dnat ip to ip daddr map {{ {', '.join(inward)} }}"] if inward else [],
            "nat hook prerouting priority -100;",
        ),
        *_chain(
            "departing",
            [
                *([f"{leaving} snat ip to ip saddr map {{ {', '.join(outward)} }}"] if outward else []),
                f"{leaving} ip saddr @routed masquerade",
            ],
            "nat hook postrouting priority 100;",
        ),
    ]


def _cuts(members: list[Member], cut: set[str]) -> list[str]:
    rules: list[str] = []
    for zone in sorted(cut):
        inside = [each.address for each in members if each.zone == zone and not each.node]
        nodes = [each.address for each in members if each.zone == zone and each.node]
        if inside:
            here = "{ " + ", ".join(inside) + " }"
            rules += [f"ip saddr {here} ip daddr != {here} drop", f"ip daddr {here} ip saddr != {here} drop"]
        if nodes:
            here = "{ " + ", ".join(nodes) + " }"
            rules += [f"iifname {INTERNET_LINK} ip daddr {here} drop", f"oifname {INTERNET_LINK} ip saddr {here} drop"]
    return rules


def _permissions(groups: dict[str, Group], kind: tuple[str, ...], side: str) -> list[str]:
    far = "saddr" if side == "inward" else "daddr"
    found: list[str] = []
    for name in kind:
        permissions: Iterable[Permission] = getattr(groups[name], side) if name in groups else ()
        for each in permissions:
            if each.group is not None and each.group not in groups:
                continue
            who = f"ip {far} @members_{_name(each.group)}" if each.group else f"ip {far} {each.cidr}"
            found.append(f"{who} {_ports(each)}".strip())
    return found


def _ports(permission: Permission) -> str:
    if permission.protocol == "-1":
        return ""
    if permission.protocol == "icmp":
        return "ip protocol icmp"
    if permission.first in (None, -1):
        return f"meta l4proto {permission.protocol}"
    return f"{permission.protocol} dport {permission.first}-{permission.last}"


def _addresses(members: list[Member], group: str) -> list[str]:
    return [each.address for each in members if group in each.groups]


def _name(group: str) -> str:
    return group.replace("-", "_")


def _set(name: str, addresses: list[str]) -> str:
    elements = f"elements = {{ {', '.join(addresses)} }}" if addresses else ""
    return f"set {name} {{ type ipv4_addr; {elements} }}"


def _map(match: str, entries: list[str]) -> list[str]:
    return [f"{match} vmap {{ {', '.join(entries)} }}"] if entries else []


def _chain(name: str, rules: list[str], hook: str = "") -> list[str]:
    return [f"chain {name} {{", *([f"type {hook}"] if hook else []), *rules, "}"]
