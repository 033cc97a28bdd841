"""What there is in the cloud, in one piece, so that a test can assert that exactly this and nothing else exists."""

from __future__ import annotations

from typing import Any, Protocol

from . import account
from .cloud import Cloud

Json = dict[str, Any]


class Described(Protocol):
    """Machines, where there are some."""

    def describe(self) -> Json:
        """Returns all machines by instance id."""


def dump(cloud: Cloud, bodies: Described | None) -> Json:
    """Returns instances by id, load balancers and target groups by ARN, machines by instance id, and misfortunes."""
    with cloud.lock:
        return {
            "instances": instances(cloud),
            "balancers": balancers(cloud),
            "groups": groups(cloud),
            "machines": bodies.describe() if bodies else {},
            "capacity": dict(cloud.capacity.left),
            "expired": sorted(cloud.expired),
            "faults": cloud.faults.describe(),
        }


def instances(cloud: Cloud) -> Json:
    """Returns the instances by id, those that have ended too."""
    with cloud.lock:
        return {life.instance.id: _instance(life.instance) for life in cloud.lives.lives.values()}


def balancers(cloud: Cloud) -> Json:
    """Returns the load balancers with their listeners and rules, by ARN."""
    with cloud.lock:
        return {each.arn: _balancer(each) for each in account.load_balancers()}


def groups(cloud: Cloud) -> Json:
    """Returns the target groups with their targets, by ARN."""
    with cloud.lock:
        return {group.arn: _group(cloud, group) for backend in account.elb_regions() for group in backend.target_groups.values()}


def _instance(instance: Any) -> Json:
    return {
        "state": instance.state,
        "status": instance.instance_status["Status"],
        "zone": instance.availability_zone,
        "type": instance.instance_type,
        "image": instance.image_id,
        "subnet": instance.subnet_id,
        "address": instance.private_ip,
        "lifecycle": instance.lifecycle or "on-demand",
        "client_token": instance.client_token,
        "tags": account.tags_of(instance),
    }


def _balancer(balancer: Any) -> Json:
    return {
        "name": balancer.name,
        "state": balancer.state,
        "dns_name": balancer.dns_name,
        "listeners": [
            {
                "arn": each.arn,
                "port": int(each.port),
                "protocol": each.protocol,
                "rules": [_rule(rule) for rule in _in_order(each)],
            }
            for each in balancer.listeners.values()
        ],
    }


def _in_order(listener: Any) -> list[Any]:
    return sorted(listener.rules.values(), key=lambda rule: (rule.is_default, 0 if rule.is_default else int(rule.priority)))


def _rule(rule: Any) -> Json:
    return {
        "arn": rule.arn,
        "priority": str(rule.priority),
        "conditions": rule.conditions,
        "actions": [action.data for action in rule.actions],
    }


def _group(cloud: Cloud, group: Any) -> Json:
    return {
        "name": group.name,
        "balancers": list(group.load_balancer_arns),
        "targets": {f"{each.id}:{each.port}": {"state": each.state, "reason": each.reason} for each in cloud.targets.of(group.arn)},
    }
