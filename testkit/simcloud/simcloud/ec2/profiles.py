"""Instance profiles as launches see them: a new one is unknown to EC2 for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.iam.models import iam_backends

from .. import account
from ..cloud import Cloud
from ..wire import Refused


def find(cloud: Cloud, asked: dict[str, Any] | None) -> Any | None:
    """Returns the profile that a launch names by name or ARN; refuses one that there is not, or not yet."""
    if not asked:
        return None
    name = asked.get("Name") or str(asked.get("Arn", "")).rpartition("/")[2]
    for profile in iam_backends[account.ACCOUNT]["aws"].instance_profiles.values():
        if profile.name == name and utcnow() - profile.create_date >= timedelta(seconds=cloud.times.lag):
            return profile
    message = f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    raise Refused("InvalidParameterValue", message)


def role_of(instance: Any) -> Any | None:
    """Returns the role that an instance has through its profile."""
    association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
    roles = association.iam_instance_profile.roles if association else []
    return roles[0] if roles else None
