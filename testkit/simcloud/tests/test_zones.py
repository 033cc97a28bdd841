"""Hosted zones."""

from __future__ import annotations

from typing import Any

from .harness import CloudTest


class Zones(CloudTest):
    def test_a_record_goes_alone_though_others_have_its_identifier(self) -> None:
        route53 = self.cloud.client("route53")
        made = route53.create_hosted_zone(Name="example.org", CallerReference=self.name)
        zone = made["HostedZone"]["Id"]

        def change(action: str, name: str) -> None:
            record: dict[str, Any] = {"Name": name, "Type": "A", "SetIdentifier": "ours", "Weight": 1, "TTL": 60}
            record["ResourceRecords"] = [{"Value": "192.0.2.1"}]
            batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)

        for name in ("a.example.org", "b.example.org"):
            change("UPSERT", name)
        change("DELETE", "a.example.org")
        shown = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        self.assertEqual(["b.example.org."], [record["Name"] for record in shown if record["Type"] == "A"])
