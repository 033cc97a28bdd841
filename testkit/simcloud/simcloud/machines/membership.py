"""Reads from moto's state which address is in which security group and how its subnet is routed."""

from __future__ import annotations

from typing import Any

from .. import account
from .firewall import Group, Member, Permission


def groups() -> dict[str, Group]:
    """Returns the security groups of all regions, by id."""
    found: dict[str, Group] = {}
    for backend in account.ec2_regions():
        for vpc_groups in backend.groups.values():
            for group in vpc_groups.values():
                found[group.id] = Group(_permissions(group.ingress_rules), _permissions(group.egress_rules))
    return found


def machine(instance: Any) -> Member:
    """Returns an instance's membership."""
    backend = instance.ec2_backend
    way = _way_out(backend, instance.subnet_id)
    public = instance.public_ip if way == "gateway" else None
    return Member(
        address=instance.private_ip,
        groups=_groups_of(backend, [each.id for each in instance.security_groups], instance.vpc_id),
        zone=instance.availability_zone,
        routed=way == "nat" or public is not None,
        public=public,
        open_to_internet=public is not None,
    )


def node(balancer: Any, address: str, zone: str) -> Member:
    """Returns the membership of one of a load balancer's addresses."""
    region = balancer.arn.split(":")[3]
    return Member(
        address=address,
        groups=_groups_of(account.ec2(region), balancer.security_groups, balancer.vpc_id),
        zone=zone,
        node=True,
        open_to_internet=balancer.scheme == "internet-facing",
    )


def _groups_of(backend: Any, named: list[str], vpc_id: str) -> tuple[str, ...]:
    """Returns the ids; who names none is in the default group of the VPC."""
    default = [each.id for each in backend.groups.get(vpc_id, {}).values() if each.name == "default"]
    return tuple(sorted(named or default))


def _permissions(rules: list[Any]) -> tuple[Permission, ...]:
    found = []
    for rule in rules:
        cidr = (rule.ip_range or {}).get("CidrIp")
        group = (rule.source_group or {}).get("GroupId")
        if cidr or group:
            found.append(Permission(str(rule.ip_protocol), rule.from_port, rule.to_port, cidr, group))
    return tuple(found)


def _way_out(backend: Any, subnet_id: str) -> str | None:
    """Returns what the default route of a subnet leads to: `gateway`, `nat`, or None."""
    vpc_id = backend.get_subnet(subnet_id).vpc_id
    tables = [each for each in backend.route_tables.values() if each.vpc_id == vpc_id]
    own = [each for each in tables if subnet_id in each._associations.values()]
    main = [each for each in tables if each.main_association_id]
    for table in own or main:
        for route in table.routes:
            if route.destination_cidr_block == "0.0.0.0/0":
                if route.nat_gateway is not None:
                    return "nat" if route.nat_gateway.state == "available" else None
                return "gateway" if route.gateway is not None else None
    return None
