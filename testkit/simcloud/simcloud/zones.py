"""What moto gets wrong about hosted zones: whoever deletes a record takes all others with the same identifier with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.route53.models import RecordSet, Route53Backend

from .amend import amend

Key = tuple[str, str, str | None]


def install() -> None:
    """Amends ChangeResourceRecordSets."""
    amend(Route53Backend, "change_resource_record_sets", _change)


def _change(moto: Callable[..., Any], backend: Route53Backend, zone_id: str, changes: list[dict[str, Any]]) -> Any:
    zone = backend.get_hosted_zone(zone_id)
    before = list(zone.rrsets)
    gone = {_named(change["ResourceRecordSet"]) for change in changes if change["Action"] == "DELETE"}
    answer = moto(backend, zone_id, changes)
    there = gone | {_key(record) for record in zone.rrsets}
    zone.rrsets += [record for record in before if _key(record) not in there]
    return answer


def _named(record: dict[str, Any]) -> Key:
    return record["Name"].strip("."), record["Type"], record.get("SetIdentifier")


def _key(record: RecordSet) -> Key:
    return record.name.strip("."), record.type, record.set_identifier
