"""What moto gets wrong about buckets: the name of an answer's root, which strict parsers look at, and their policies.

moto looks at a policy's actions and not at its conditions, so that one which refuses plain HTTP would refuse everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from .amend import amend


def install() -> None:
    """Amends moto."""
    amend(S3Response, "get_bucket_versioning", _get_versioning)
    amend(FakeBucket, "get_permission", lambda _moto, _bucket, _action, _resource: PermissionResult.NEUTRAL)


def _get_versioning(moto: Callable[..., Any], response: S3Response) -> Any:
    status, headers, body = moto(response)
    text = body.decode() if isinstance(body, bytes) else body
    return status, headers, text.replace("GetBucketVersioningResponse", "VersioningConfiguration")
