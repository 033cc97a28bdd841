"""Load balancers: names, zones and groups that must be right, one of a name, a while until they are active."""

from __future__ import annotations

import re
import time
from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

from .. import account
from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused


class Balancers:
    """Amends CreateLoadBalancer and DeleteLoadBalancer."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self._made: dict[str, float] = {}
        amend(ELBv2Backend, "create_load_balancer", self._create)
        amend(ELBv2Backend, "delete_load_balancer", self._delete)
        amend(FakeLoadBalancer, "activate", self._activate)

    def _create(self, moto: Any, backend: Any, **wish: Any) -> Any:
        check_name("load balancer", wish["name"])
        subnets = [_subnet(backend, each) for each in _subnet_ids(wish)]
        if len({each.availability_zone for each in subnets}) < 2:
            message = "At least two subnets in two different Availability Zones must be specified"
            raise Refused("ValidationError", message)
        for group in wish["security_groups"]:
            if account.ec2(backend.region_name).get_security_group_from_id(group) is None:
                raise Refused("InvalidSecurityGroup", f"Security group '{group}' does not exist")
        for balancer in backend.load_balancers.values():
            if balancer.name == wish["name"]:
                return _same(balancer, wish)
        if len(backend.load_balancers) >= self.cloud.limits.balancers:
            raise Refused("TooManyLoadBalancers", "You've reached the limit on the number of load balancers")
        wish["scheme"] = wish.get("scheme") or "internet-facing"
        balancer = moto(backend, **wish)
        balancer.dns_name = f"{balancer.name}-{int(balancer.arn[-8:], 16)}.{backend.region_name}.elb.amazonaws.com"
        self._made[balancer.arn] = time.monotonic()
        return balancer

    def _activate(self, moto: Any, balancer: Any) -> None:
        if time.monotonic() - self._made.get(balancer.arn, 0.0) >= self.cloud.times.provision:
            moto(balancer)

    def _delete(self, moto: Any, backend: Any, arn: str) -> None:
        balancer = backend.load_balancers.get(arn)
        if balancer is not None and balancer.attrs.get("deletion_protection.enabled") == "true":
            message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            raise Refused("OperationNotPermitted", message)
        moto(backend, arn)


def check_name(kind: str, name: str) -> None:
    """Refuses a name that a load balancer or target group must not have."""
    if not 1 <= len(name) <= 32:
        raise Refused("ValidationError", f"The {kind} name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        message = f"The {kind} name '{name}' can only contain characters that are alphanumeric characters and hyphens(-)"
        raise Refused("ValidationError", message)
    if name.startswith("-") or name.endswith("-"):
        raise Refused("ValidationError", f"The {kind} name '{name}' cannot begin or end with a hyphen(-)")
    if kind == "load balancer" and name.startswith("internal-"):
        raise Refused("ValidationError", f"The {kind} name '{name}' cannot begin with 'internal-'")


def _subnet_ids(wish: dict[str, Any]) -> list[str]:
    return [*wish["subnet_ids"], *(each["SubnetId"] for each in wish.get("subnet_mappings") or [])]


def _subnet(backend: Any, subnet_id: str) -> Any:
    for subnets in account.ec2(backend.region_name).subnets.values():
        if subnet_id in subnets:
            return subnets[subnet_id]
    raise Refused("SubnetNotFound", f"The subnet ID '{subnet_id}' does not exist")


def _same(balancer: Any, wish: dict[str, Any]) -> Any:
    same = (
        {subnet.id for subnet in balancer.subnets} == set(_subnet_ids(wish))
        and balancer.scheme == (wish.get("scheme") or "internet-facing")
        and set(balancer.security_groups) == set(wish["security_groups"])
    )
    if same:
        return balancer
    message = f"A load balancer with the same name '{balancer.name}' exists, but with different settings"
    raise Refused("DuplicateLoadBalancerName", message)
