"""What descriptions of instances show: nothing too new, in pages of instances, by the filters that moto lacks.

A page is taken before the filters are applied, as EC2 does: it may be empty and still not be the last.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import utils as moto_filters
from moto.ec2.responses.instances import InstanceResponse

from .. import account
from ..amend import amend
from ..cloud import Cloud
from ..wire import Call, Refused

INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
ID_PARAMETER = re.compile(r"(InstanceId|ResourceId)(\.\d+)?")
LARGEST_PAGE = 1000
STATUS_FILTERS: dict[str, Callable[[Any], str]] = {
    "availability-zone": lambda each: each.availability_zone,
    "instance-state-name": lambda each: each.state,
    "instance-state-code": lambda each: str(each.state_code),
    "instance-status.status": lambda each: each.instance_status["Status"],
    "system-status.status": lambda each: each.system_status["Status"],
}


class Sight:
    """Amends DescribeInstances and DescribeInstanceStatus."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        moto_filters.filter_dict_attribute_mapping.update(
            {
                "availability-zone": "availability_zone",
                "client-token": "client_token",
                "instance-lifecycle": "lifecycle",
                "instance-state-code": "state_code",
            }
        )
        amend(InstanceResponse, "describe_instances", self._describe)
        amend(InstanceResponse, "describe_instance_status", self._describe_status)

    def check_ids(self, call: Call) -> None:
        """Refuses ids that are none, and those of instances that are not known yet."""
        for name, value in call.parameters.items():
            if not ID_PARAMETER.fullmatch(name):
                continue
            if name.startswith("InstanceId") and not INSTANCE_ID.fullmatch(value):
                raise Refused("InvalidInstanceID.Malformed", f'Invalid id: "{value}"')
            if value.startswith("i-") and (self.cloud.lives.find(value) is None or self.cloud.lives.hidden(value)):
                raise Refused("InvalidInstanceID.NotFound", f"The instance ID '{value}' does not exist")

    def _describe(self, _moto: Any, response: Any) -> ActionResult:
        response.error_on_dryrun()
        page, token = self._page(response)
        found = []
        for reservation in list(response.ec2_backend.reservations.values()):
            shown = copy.copy(reservation)
            shown.instances = [each for each in reservation.instances if each.id in page]
            found += [shown] if shown.instances else []
        found = moto_filters.filter_reservations(found, response._filters_from_querystring())
        return ActionResult({"Reservations": found, "NextToken": token})

    def _describe_status(self, _moto: Any, response: Any) -> ActionResult:
        page, token = self._page(response)
        filters = response._filters_from_querystring()
        everything = response._get_param("IncludeAllInstances", False)
        found = []
        for instance in account.instances(response.ec2_backend):
            if instance.id in page and (everything or instance.state == "running") and _has_status(instance, filters):
                found.append(instance)
        return ActionResult({"InstanceStatuses": found, "NextToken": token})

    def _page(self, response: Any) -> tuple[set[str], str | None]:
        asked, size = response._get_param("InstanceIds", []), response._get_param("MaxResults")
        if asked and size:
            message = "The parameter instancesSet cannot be used with the parameter maxResults"
            raise Refused("InvalidParameterCombination", message)
        if asked:
            return set(asked), None
        after = _read_token(response._get_param("NextToken"))
        lives = self.cloud.lives
        numbers = sorted(
            (lives.lives[each.id].number, each.id)
            for each in account.instances(response.ec2_backend)
            if not lives.hidden(each.id)
        )
        rest = [(number, each) for number, each in numbers if number > after]
        page = rest[: min(int(size or LARGEST_PAGE), LARGEST_PAGE)]
        token = base64.b64encode(str(page[-1][0]).encode()).decode() if len(page) < len(rest) else None
        return {each for _, each in page}, token


def _read_token(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError):
        raise Refused("InvalidNextToken", "The specified NextToken is not valid") from None


def _has_status(instance: Any, filters: dict[str, Any]) -> bool:
    for name, values in filters.items():
        if name not in STATUS_FILTERS:
            raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
        if STATUS_FILTERS[name](instance) not in values:
            return False
    return True
