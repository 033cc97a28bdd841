"""What moto gets wrong about buckets: the name of an answer's root, which strict parsers look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.s3.responses import S3Response

from .amend import amend


def install() -> None:
    """Amends moto."""
    amend(S3Response, "get_bucket_versioning", _get_versioning)


def _get_versioning(moto: Callable[..., Any], response: S3Response) -> Any:
    status, headers, body = moto(response)
    text = body.decode() if isinstance(body, bytes) else body
    return status, headers, text.replace("GetBucketVersioningResponse", "VersioningConfiguration")
