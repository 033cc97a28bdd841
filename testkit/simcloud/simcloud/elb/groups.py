"""Target groups: one of a name, pages of them, and the load balancers that really use them."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from .. import account
from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused
from .balancers import check_name

LARGEST_PAGE = 400
# What CreateTargetGroup says, and where moto keeps it; these make a second call the same or another.
SETTINGS = {
    "protocol": "protocol",
    "port": "port",
    "vpc_id": "vpc_id",
    "target_type": "target_type",
    "healthcheck_protocol": "health_check_protocol",
    "healthcheck_port": "health_check_port",
    "healthcheck_path": "health_check_path",
    "healthcheck_interval_seconds": "health_check_interval_seconds",
    "healthcheck_timeout_seconds": "health_check_timeout_seconds",
    "healthy_threshold_count": "healthy_threshold_count",
    "unhealthy_threshold_count": "unhealthy_threshold_count",
    "matcher": "matcher",
}


class Groups:
    """Amends CreateTargetGroup and DescribeTargetGroups."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        amend(ELBv2Backend, "create_target_group", self._create)
        amend(ELBV2Response, "describe_target_groups", _describe)
        # moto only ever adds to the list, so it is made anew each time, and what moto appends is dropped.
        FakeTargetGroup.load_balancer_arns = property(_users, lambda _group, _arns: None)  # type: ignore[assignment]

    def _create(self, moto: Any, backend: Any, name: str, **wish: Any) -> Any:
        check_name("target group", name)
        for group in backend.target_groups.values():
            if group.name == name:
                if all(_equal(value, getattr(group, SETTINGS[key])) for key, value in wish.items() if key in SETTINGS):
                    return group
                message = f"A target group with the same name '{name}' exists, but with different settings"
                raise Refused("DuplicateTargetGroupName", message)
        if len(backend.target_groups) >= self.cloud.limits.groups:
            raise Refused("TooManyTargetGroups", "You've reached the limit on the number of target groups")
        return moto(backend, name, **wish)


def _equal(wished: Any, present: Any) -> bool:
    return wished in (None, {}) or str(wished) == str(present)


def _users(group: Any) -> list[str]:
    return [each.arn for each in account.users().get(group.arn, [])]


def _describe(_moto: Any, response: Any) -> ActionResult:
    backend = response.elbv2_backend
    arns, names = response._get_param("TargetGroupArns", []), response._get_param("Names", [])
    balancer = response._get_param("LoadBalancerArn")
    if balancer and not arns and not names:
        if balancer not in backend.load_balancers:
            raise Refused("LoadBalancerNotFound", "The specified load balancer does not exist.")
        used = account.groups_used(backend.load_balancers[balancer])
        groups = [each for each in backend.target_groups.values() if each.arn in used]
    else:
        groups = list(backend.describe_target_groups(balancer, arns, names))
    groups.sort(key=lambda each: str(each.name))
    after = response._get_param("Marker") or ""
    rest = [each for each in groups if each.name > after]
    page = rest[: min(int(response._get_param("PageSize") or LARGEST_PAGE), LARGEST_PAGE)]
    return ActionResult({"TargetGroups": page, "NextMarker": page[-1].name if len(page) < len(rest) else None})
