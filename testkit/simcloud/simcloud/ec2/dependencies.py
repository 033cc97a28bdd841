"""What cannot be deleted while something else needs it, and which tags cannot be set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.tags import TagResponse

from .. import account
from ..amend import amend
from ..wire import Refused


def install() -> None:
    """Amends the deletions of networks' parts, and CreateTags."""
    amend(SecurityGroupBackend, "delete_security_group", _delete_group)
    amend(SubnetBackend, "delete_subnet", _delete_subnet)
    amend(VPCBackend, "delete_vpc", _delete_vpc)
    amend(TagResponse, "create_tags", _create_tags)


def _present(backend: Any) -> Iterator[Any]:
    return (each for each in account.instances(backend) if each.state != "terminated")


def _balancers(backend: Any) -> list[Any]:
    return list(account.elb(backend.region_name).load_balancers.values())


def _delete_group(moto: Any, backend: Any, name: str | None = None, group_id: str | None = None) -> Any:
    group = backend.get_security_group_from_id(group_id) if group_id else None
    if group is not None:
        if group.is_default:
            raise Refused("CannotDelete", f'the specified group: "{group_id}" name: "default" cannot be deleted by a user')
        used = any(group in each.security_groups for each in _present(backend))
        used = used or any(group_id in each.security_groups for each in _balancers(backend))
        if used or any(group_id in _named(other) for other in _groups(backend) if other is not group):
            raise Refused("DependencyViolation", f"resource {group_id} has a dependent object")
    return moto(backend, name=name, group_id=group_id)


def _groups(backend: Any) -> Iterator[Any]:
    for groups in backend.groups.values():
        yield from groups.values()


def _named(group: Any) -> set[str]:
    """Returns the ids of the groups that a group's rules name."""
    rules = [*group.ingress_rules, *group.egress_rules]
    return {source.get("GroupId", "") for rule in rules for source in [rule.source_group or {}]}


def _delete_subnet(moto: Any, backend: Any, subnet_id: str) -> Any:
    used = any(each.subnet_id == subnet_id for each in _present(backend))
    used = used or any(subnet.id == subnet_id for each in _balancers(backend) for subnet in each.subnets)
    gateways = backend.nat_gateways.values()
    if used or any(each.subnet_id == subnet_id and each.state != "deleted" for each in gateways):
        raise Refused("DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return moto(backend, subnet_id)


def _delete_vpc(moto: Any, backend: Any, vpc_id: str) -> Any:
    attached = any(each.vpc is not None and each.vpc.id == vpc_id for each in backend.internet_gateways.values())
    groups = [each for each in backend.groups.get(vpc_id, {}).values() if not each.is_default and each.name != "default"]
    if attached or groups:
        raise Refused("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    # The default group goes with its network, and moto deletes it as a user would.
    for group in backend.groups.get(vpc_id, {}).values():
        group.is_default = False
    return moto(backend, vpc_id)


def _create_tags(moto: Any, response: Any) -> Any:
    for tag in response._get_param("Tags", []):
        key, value = tag.get("Key", ""), tag.get("Value") or ""
        if key.startswith("aws:"):
            raise Refused("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        if len(key) > 128 or len(value) > 256:
            raise Refused("InvalidParameterValue", "Tag keys have at most 128 characters, values 256")
    return moto(response)
