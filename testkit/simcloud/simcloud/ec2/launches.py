"""RunInstances: the same token gives the same instances, pools run dry, templates count in full, bad wishes are refused."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import MetadataOptions
from moto.ec2.responses.instances import InstanceResponse

from .. import account
from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused
from . import profiles

NO_CAPACITY = (
    "We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). Our system will "
    "be working on provisioning additional capacity. You can currently get {kind} capacity by not specifying an "
    "Availability Zone in your request or choosing {others}."
)
USER_DATA_BYTES = 16 * 1024
# The five that AWS keeps of every subnet.
RESERVED_ADDRESSES = 5


@dataclass(frozen=True)
class Wish:
    """A launch as it is meant: the parameters, with the launch template's where they say nothing."""

    merged: dict[str, Any]
    least: int
    most: int
    zone: str
    spot: bool

    @property
    def kind(self) -> str:
        """Returns the instance type."""
        return str(self.merged.get("InstanceType") or "m1.small")


class Launches:
    """Amends moto's RunInstances; keeps what each client token launched."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self._tokens: dict[tuple[str, str], tuple[str, str]] = {}
        amend(InstanceResponse, "run_instances", self._run)

    def _run(self, moto: Any, response: Any) -> Any:
        parameters = response.params
        token = parameters.get("ClientToken")
        digest = _digest(response.querystring)
        if token:
            known = self._replay(response, token, digest)
            if known is not None:
                return known
        wish = self._read(response)
        self._check(response, wish)
        if parameters.get("DryRun"):
            raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        granted = self._grant(response.region, wish)
        parameters["MinCount"] = granted
        # moto would give the profile to the first instance only.
        parameters.pop("IamInstanceProfile", None)
        result = moto(response)
        for instance in result.result.instances:
            self._apply(response.ec2_backend, instance, wish)
        if token:
            self._tokens[response.region, token] = (digest, result.result.id)
        return result

    def _replay(self, response: Any, token: str, digest: str) -> ActionResult | None:
        if len(token) > 64 or not token.isascii():
            raise Refused("InvalidParameterValue", "Invalid value for ClientToken: at most 64 ASCII characters")
        earlier, reservation = self._tokens.get((response.region, token), (None, ""))
        if earlier is None:
            return None
        if earlier != digest:
            message = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
            raise Refused("IdempotentParameterMismatch", message)
        known = response.ec2_backend.reservations[reservation]
        # Those that are described no more are not among its instances.
        if all(each.state == "terminated" for each in known.instances):
            message = "The client token you have provided is associated with a terminated instance."
            raise Refused("IdempotentInstanceTerminated", f"{message} Please use a different client token.")
        return ActionResult(known)

    def _read(self, response: Any) -> Wish:
        parameters = response.params
        merged = {
            **_template(response),
            **{name: value for name, value in parameters.items() if value not in (None, [])},
        }
        # moto takes neither of these from a launch template.
        for name in ("NetworkInterfaces", "SubnetId"):
            if merged.get(name):
                parameters[name] = copy.deepcopy(merged[name])
        interfaces = merged.get("NetworkInterfaces") or [{}]
        subnet_id = merged.get("SubnetId") or interfaces[0].get("SubnetId")
        if subnet_id:
            zone = _subnet(response.ec2_backend, subnet_id).availability_zone
            merged["SubnetId"] = subnet_id
        else:
            zone = merged.get("Placement", {}).get("AvailabilityZone") or f"{response.region}a"
        least, most = int(merged.get("MinCount") or 1), int(merged.get("MaxCount") or 1)
        spot = merged.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        return Wish(merged, least, most, zone, spot)

    def _check(self, response: Any, wish: Wish) -> None:
        merged, backend = wish.merged, response.ec2_backend
        if wish.least < 1 or wish.most < wish.least:
            raise Refused("InvalidParameterValue", "The maximum count must be at least the minimum count, that at least 1")
        _check_address(backend, merged)
        image = merged.get("ImageId")
        if not image:
            raise Refused("MissingParameter", "The request must contain the parameter ImageId")
        if image not in backend.amis:
            raise Refused("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        if backend.amis[image].state != "available":
            raise Refused("InvalidAMIID.Unavailable", f"The image ID '{image}' is not yet available")
        if wish.kind not in INSTANCE_TYPES:
            raise Refused("InvalidParameterValue", f"Invalid value '{wish.kind}' for InstanceType.")
        if merged.get("KeyName"):
            backend.describe_key_pairs([merged["KeyName"]])
        if len(str(merged.get("UserData") or "")) * 3 // 4 > USER_DATA_BYTES:
            raise Refused("InvalidParameterValue", "User data is limited to 16384 bytes")
        profiles.find(self.cloud, merged.get("IamInstanceProfile"))
        self._check_room(backend, wish)

    def _check_room(self, backend: Any, wish: Wish) -> None:
        present = [each for each in account.instances(backend) if each.state not in ("terminated", "shutting-down")]
        if len(present) + wish.least > self.cloud.limits.instances:
            raise Refused("InstanceLimitExceeded", "You have requested more instances than your current instance limit")
        used = sum(_vcpus(each.instance_type) for each in present if each.state in ("pending", "running"))
        if used + wish.least * _vcpus(wish.kind) > self.cloud.limits.vcpus:
            message = (
                f"You have requested more vCPU capacity than your current vCPU limit of {self.cloud.limits.vcpus} allows"
            )
            raise Refused("VcpuLimitExceeded", message)
        if subnet_id := wish.merged.get("SubnetId"):
            subnet = _subnet(backend, subnet_id)
            taken = sum(each.subnet_id == subnet_id for each in present)
            if taken + wish.least > ip_network(subnet.cidr_block).num_addresses - RESERVED_ADDRESSES:
                message = f"There are not enough free addresses in subnet '{subnet_id}' to satisfy the request."
                raise Refused("InsufficientFreeAddressesInSubnet", message)

    def _grant(self, region: str, wish: Wish) -> int:
        granted = self.cloud.capacity.grant(wish.zone, wish.kind, wish.spot, wish.least, wish.most)
        if granted:
            return granted
        others = [f"{region}{letter}" for letter in "abc"]
        others = [each for each in others if each != wish.zone and not self.cloud.capacity.empty(each, wish.kind)]
        message = NO_CAPACITY.format(kind=wish.kind, zone=wish.zone, others=", ".join(others) or "another instance type")
        raise Refused("InsufficientInstanceCapacity", message)

    def _apply(self, backend: Any, instance: Any, wish: Wish) -> None:
        profile = profiles.find(self.cloud, wish.merged.get("IamInstanceProfile"))
        if profile is not None:
            backend.associate_iam_instance_profile(instance.id, iam_instance_profile_name=profile.name)
        if options := wish.merged.get("MetadataOptions"):
            instance.metadata_options = MetadataOptions(options)
        instance.client_token = wish.merged.get("ClientToken") or ""
        instance.disable_api_termination = bool(wish.merged.get("DisableApiTermination"))
        if wish.spot:
            instance.lifecycle = "spot"


def _digest(query: dict[str, list[str]]) -> str:
    said = sorted((name, value) for name, value in query.items() if name != "ClientToken")
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _template(response: Any) -> dict[str, Any]:
    asked = response.params.get("LaunchTemplate")
    return dict(response.ec2_backend._get_template_from_args(asked).data) if asked else {}


def _subnet(backend: Any, subnet_id: str) -> Any:
    for subnets in backend.subnets.values():
        if subnet_id in subnets:
            return subnets[subnet_id]
    raise Refused("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")


def _vcpus(kind: str) -> int:
    return int(INSTANCE_TYPES.get(kind, {}).get("VCpuInfo", {}).get("DefaultVCpus", 1))


def _check_address(backend: Any, merged: dict[str, Any]) -> None:
    address = merged.get("PrivateIpAddress")
    if not address:
        return
    subnet = _subnet(backend, merged.get("SubnetId", ""))
    if ip_address(address) not in ip_network(subnet.cidr_block):
        raise Refused("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
    if address in subnet._subnet_ips:
        raise Refused("InvalidIPAddress.InUse", f"Address {address} is in use.")
