"""Listeners and rules: one listener of a port, priorities that can be exchanged, and the quotas of a load balancer."""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import ELBv2Backend, FakeAction

from .. import account
from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused

HIGHEST_PRIORITY = 50_000


class Listeners:
    """Amends the making and changing of listeners and rules."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        amend(ELBv2Backend, "create_listener", self._create_listener)
        amend(ELBv2Backend, "modify_listener", self._modify_listener)
        amend(ELBv2Backend, "create_rule", self._create_rule)
        amend(ELBv2Backend, "modify_rule", self._modify_rule)
        amend(ELBv2Backend, "delete_rule", self._delete_rule)
        amend(ELBv2Backend, "set_rule_priorities", self._set_priorities)

    def _create_listener(self, moto: Any, backend: Any, **wish: Any) -> Any:
        balancer = backend.load_balancers.get(wish["load_balancer_arn"])
        if balancer is not None:
            if any(str(each.port) == str(wish["port"]) for each in balancer.listeners.values()):
                message = f"A listener already exists on this port for this load balancer '{balancer.arn}'"
                raise Refused("DuplicateListener", message)
            if len(balancer.listeners) >= self.cloud.limits.listeners_per_balancer:
                raise Refused("TooManyListeners", f"You've reached the limit on listeners of '{balancer.arn}'")
            self._check_actions(backend, balancer, wish["actions"])
        if wish["protocol"] == "HTTPS" and not wish.get("certificate"):
            raise Refused("ValidationError", "A certificate must be specified for HTTPS listeners")
        return moto(backend, **wish)

    def _modify_listener(self, moto: Any, backend: Any, arn: str, *wish: Any) -> Any:
        # The actions are the last of moto's five arguments.
        balancer, actions = self._balancer(backend, arn), wish[4]
        if balancer is None:
            raise Refused("ListenerNotFound", "One or more listeners not found")
        self._check_actions(backend, balancer, actions)
        return moto(backend, arn, *wish)

    def _create_rule(self, moto: Any, backend: Any, **wish: Any) -> Any:
        balancer = self._balancer(backend, wish["listener_arn"])
        if balancer is None:
            raise Refused("ListenerNotFound", "One or more listeners not found")
        if not 1 <= int(wish["priority"]) <= HIGHEST_PRIORITY:
            raise Refused("ValidationError", f"Priority must be between 1 and {HIGHEST_PRIORITY}")
        if any(
            str(rule.priority) == str(wish["priority"]) for rule in balancer.listeners[wish["listener_arn"]].rules.values()
        ):
            raise Refused("PriorityInUse", f"Priority '{wish['priority']}' is currently in use")
        self._check_conditions(wish["conditions"])
        self._check_actions(backend, balancer, wish["actions"])
        if sum(not rule.is_default for _, rule in account.rules(balancer)) >= self.cloud.limits.rules_per_balancer:
            message = f"The maximum number of rules has been reached on load balancer '{balancer.arn}'"
            raise Refused("TooManyRules", message)
        return moto(backend, **wish)

    def _modify_rule(self, moto: Any, backend: Any, **wish: Any) -> Any:
        listener, _ = self._rule(backend, wish["rule_arn"])
        self._check_conditions(wish.get("conditions") or [])
        self._check_actions(backend, backend.load_balancers[listener.load_balancer_arn], wish.get("actions") or [])
        return moto(backend, **wish)

    def _delete_rule(self, moto: Any, backend: Any, arn: str) -> None:
        _, rule = self._rule(backend, arn)
        if rule.is_default:
            raise Refused("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")
        moto(backend, arn)

    def _set_priorities(self, _moto: Any, backend: Any, wishes: list[dict[str, Any]]) -> list[Any]:
        wanted = {each["RuleArn"]: int(each["Priority"]) for each in wishes}
        found = {arn: self._rule(backend, arn) for arn in wanted}
        for arn, (listener, _) in found.items():
            for other in listener.rules.values():
                # Those that move at the same time make room.
                if str(wanted.get(other.arn, other.priority)) == str(wanted[arn]) and other.arn != arn:
                    raise Refused("PriorityInUse", f"Priority '{wanted[arn]}' is currently in use")
        for arn, (_, rule) in found.items():
            rule.priority = wanted[arn]
        return [rule for _, rule in found.values()]

    def _balancer(self, backend: Any, listener_arn: str) -> Any | None:
        return next((each for each in backend.load_balancers.values() if listener_arn in each.listeners), None)

    def _rule(self, backend: Any, arn: str) -> tuple[Any, Any]:
        for balancer in backend.load_balancers.values():
            for listener, rule in account.rules(balancer):
                if rule.arn == arn:
                    return listener, rule
        raise Refused("RuleNotFound", "One or more rules not found")

    def _check_conditions(self, conditions: list[dict[str, Any]]) -> None:
        values = [value for condition in conditions for value in condition_values(condition)]
        if len(values) > self.cloud.limits.values_per_rule:
            message = f"Rules can have at most {self.cloud.limits.values_per_rule} condition values"
            raise Refused("ValidationError", message)
        if sum(value.count("*") + value.count("?") for value in values if isinstance(value, str)) > 5:
            raise Refused("ValidationError", "Rules can have at most 5 wildcard characters")

    def _check_actions(self, backend: Any, balancer: Any, actions: list[dict[str, Any]]) -> None:
        limits = self.cloud.limits
        wanted = {arn for action in actions for arn in account.forwards(FakeAction(dict(action)))}
        if len(wanted) > limits.groups_per_action:
            message = f"You've reached the limit on the number of target groups per action ('{limits.groups_per_action}')"
            raise Refused("TooManyTargetGroups", message)
        used = account.groups_used(balancer)
        if len(used | wanted) > limits.groups_per_balancer:
            message = f"You've reached the limit on the number of unique target groups of '{balancer.arn}'"
            raise Refused("TooManyUniqueTargetGroupsPerLoadBalancer", message)
        for other in backend.load_balancers.values():
            taken = wanted & account.groups_used(other) if other is not balancer else set()
            if taken:
                message = f"The following target groups cannot be associated with more than one load balancer: {min(taken)}"
                raise Refused("TargetGroupAssociationLimit", message)


def condition_values(condition: dict[str, Any]) -> list[Any]:
    """Returns the values of a condition, however they were given."""
    for name, part in condition.items():
        if name.endswith("Config"):
            return list(part.get("Values") or [])
    return list(condition.get("Values") or [])
