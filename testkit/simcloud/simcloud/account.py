"""Looks things up in moto's state, which is that of the one account that a simulated cloud has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

ACCOUNT = DEFAULT_ACCOUNT_ID


def ec2(region: str) -> Any:
    """Returns moto's EC2 of a region."""
    return ec2_backends[ACCOUNT][region]


def elb(region: str) -> Any:
    """Returns moto's load balancing of a region."""
    return elbv2_backends[ACCOUNT][region]


def ec2_regions() -> list[Any]:
    """Returns moto's EC2 of the regions that somebody has used."""
    return list(ec2_backends[ACCOUNT].values())


def elb_regions() -> list[Any]:
    """Returns moto's load balancing of the regions that somebody has used."""
    return list(elbv2_backends[ACCOUNT].values())


def instances(backend: Any) -> Iterator[Any]:
    """Yields the instances of a region, those that are terminated too."""
    for reservation in list(backend.reservations.values()):
        yield from reservation.instances


def load_balancers() -> Iterator[Any]:
    """Yields the application load balancers of all regions."""
    for backend in elb_regions():
        for balancer in list(backend.load_balancers.values()):
            if balancer.type == "application":
                yield balancer


def rules(balancer: Any) -> Iterator[tuple[Any, Any]]:
    """Yields a load balancer's rules with their listeners, the default ones too."""
    for listener in list(balancer.listeners.values()):
        for rule in list(listener.rules.values()):
            yield listener, rule


def forwards(action: Any) -> dict[str, int]:
    """Returns the target groups that an action forwards to, with their weights."""
    data = action.data
    if data.get("Type") != "forward":
        return {}
    groups = data.get("ForwardConfig", {}).get("TargetGroups", [])
    if groups:
        return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {data["TargetGroupArn"]: 1} if "TargetGroupArn" in data else {}


def groups_used(balancer: Any) -> set[str]:
    """Returns the ARNs of the target groups that a load balancer sends requests to."""
    return {arn for _, rule in rules(balancer) for action in rule.actions for arn in forwards(action)}


def users() -> dict[str, list[Any]]:
    """Returns, by target group, the load balancers that use it."""
    found: dict[str, list[Any]] = {}
    for balancer in load_balancers():
        for arn in groups_used(balancer):
            found.setdefault(arn, []).append(balancer)
    return found


def tags_of(resource: Any) -> dict[str, str]:
    """Returns an EC2 resource's tags."""
    return {tag["key"]: tag["value"] for tag in resource.get_tags()}
