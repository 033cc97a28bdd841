"""Machines: user data that runs, disks, metadata, remote commands, power."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .harness import wait_until
from .machines import MachineTest, announce

TOKEN = "TOKEN=$(curl -sf -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)"
ASK = 'curl -sf -m 5 -H "X-aws-ec2-metadata-token: $TOKEN" http://169.254.169.254/latest'

announce()


class Machines(MachineTest):
    def metadata(self, instance: str, path: str) -> str:
        """Returns what the metadata service tells a machine."""
        return self.run_in(instance, f"{TOKEN}; {ASK}/{path}")

    def test_user_data_runs_once_and_per_boot_scripts_each_time(self) -> None:
        script = (
            "#!/bin/sh\necho hello from $(hostname)\nmkdir -p /var/lib/cloud/scripts/per-boot\n"
            "printf '#!/bin/sh\\necho booted $(cat /var/kept)\\n' >/var/lib/cloud/scripts/per-boot/say\n"
            "chmod +x /var/lib/cloud/scripts/per-boot/say\necho 42 >/var/kept\nexit 3\n"
        )
        instance = self.running(UserData=script)
        address = self.instance(instance)["PrivateIpAddress"].replace(".", "-")
        wait_until(lambda: f"hello from ip-{address}" in self.console(instance), "user data runs")
        wait_until(lambda: "user data ended with 3" in self.console(instance), "its end is told")
        self.ec2.stop_instances(InstanceIds=[instance])
        self.wait_state(instance, "stopped")
        self.ec2.start_instances(InstanceIds=[instance])
        wait_until(lambda: "booted 42" in self.console(instance), "the script runs and the disk is there")
        self.assertEqual(1, self.console(instance).count("hello from"))
        for times in range(2, 6):
            self.ec2.reboot_instances(InstanceIds=[instance])
            wait_until(lambda: self.console(instance).count("booted 42") == times, "the script runs again")  # noqa: B023
            self.assertIn(address, self.run_in(instance, "hostname"))

    def test_an_image_has_what_its_machine_has_written(self) -> None:
        builder = self.running(UserData="#!/bin/sh\necho baked >/opt/simcloud-baked\necho done\n")
        wait_until(lambda: "done" in self.console(builder), "the builder is done")
        image = self.ec2.create_image(InstanceId=builder, Name=f"image-{self.name}")["ImageId"]
        wait_until(lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available", "the image")
        other = self.running(1, ImageId=image, UserData="#!/bin/sh\necho got $(cat /opt/simcloud-baked)\n")
        wait_until(lambda: "got baked" in self.console(other), "the image's file is there")
        plain = self.running(1, UserData="#!/bin/sh\ncat /opt/simcloud-baked || echo nothing\n")
        wait_until(lambda: "nothing" in self.console(plain), "other machines do not have it")

    def test_a_machine_that_switches_itself_off_is_stopped_or_ended_as_its_launch_said(self) -> None:
        off = "#!/bin/sh\necho going off\n/usr/bin/python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'\n"
        stopped = self.launch(UserData=off)
        ended = self.launch(1, UserData=off, InstanceInitiatedShutdownBehavior="terminate")
        self.wait_state(stopped, "stopped")
        self.wait_state(ended, "terminated")
        self.assertIn("going off", self.console(stopped))

    def test_metadata_wants_a_token_where_it_is_required(self) -> None:
        instance = self.running(
            MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "cluster", "Value": "c1"}]}],
        )
        bare = "curl -s -m 5 -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/instance-id"
        self.assertEqual("401", self.run_in(instance, bare))
        self.assertEqual(instance, self.metadata(instance, "meta-data/instance-id"))
        self.assertEqual("us-east-1a", self.metadata(instance, "meta-data/placement/availability-zone"))
        self.assertEqual("c1", self.metadata(instance, "meta-data/tags/instance/cluster"))
        shown = self.run_in(instance, f"{TOKEN.replace('-sf', '-si')}; echo $TOKEN")
        self.assertIn("x-aws-ec2-metadata-token-ttl-seconds: 60", shown.lower())
        forwarded = TOKEN.replace("-X PUT", "-X PUT -H 'X-Forwarded-For: 10.0.0.1' -w '%{http_code}'")
        self.assertIn("403", self.run_in(instance, f"{forwarded.replace('-sf', '-s')}; echo $TOKEN"))

    def test_a_token_does_not_reach_a_container_at_one_hop(self) -> None:
        container = (
            "ip netns add inner 2>/dev/null || mount -t tmpfs tmpfs /run/netns && ip netns add inner; set -e; "
            "ip link add outer0 type veth peer name eth0 netns inner; ip addr add 172.17.0.1/24 dev outer0; ip link set outer0 up; "
            "ip -n inner addr add 172.17.0.2/24 dev eth0; ip -n inner link set eth0 up; ip -n inner route add default via 172.17.0.1; "
            "echo 1 >/proc/sys/net/ipv4/ip_forward; nft add table ip n; nft 'add chain ip n p { type nat hook postrouting priority 100; }'; "
            "nft add rule ip n p oifname eth0 masquerade; "
            "ip netns exec inner curl -s -m 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' -o /dev/null -w '%{http_code}' "
            "http://169.254.169.254/latest/api/token || true"
        )
        for hops, wanted in ((1, "000"), (2, "200")):
            options = {"HttpTokens": "required", "HttpPutResponseHopLimit": hops}
            self.assertEqual(wanted, self.run_in(self.running(MetadataOptions=options), container)[-3:])

    def test_the_identity_document_is_signed(self) -> None:
        instance = self.running(2)
        document = self.metadata(instance, "dynamic/instance-identity/document")
        facts = json.loads(document)
        self.assertEqual(
            (instance, "us-east-1c", "123456789012"),
            (facts["instanceId"], facts["availabilityZone"], facts["accountId"]),
        )
        certificates = self.cloud.ask("identity")
        signature = base64.b64decode(self.metadata(instance, "dynamic/instance-identity/signature"))
        key = x509.load_pem_x509_certificate(certificates["signature"].encode()).public_key()
        key.verify(signature, document.encode(), padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr, call-arg, arg-type]
        message = self.metadata(instance, "dynamic/instance-identity/rsa2048")
        self.run_in(
            instance,
            f"cat >/tmp/c <<'E'\n{certificates['rsa2048']}E\n(echo '-----BEGIN PKCS7-----'; echo '{message}'; echo '-----END PKCS7-----') >/tmp/m",
        )
        verify = "openssl smime -verify -in /tmp/m -inform PEM -certfile /tmp/c -noverify 2>/dev/null"
        self.assertEqual(facts, json.loads(self.run_in(instance, verify)))

    def test_a_role_has_credentials_of_the_instances_session(self) -> None:
        iam = self.cloud.client("iam")
        iam.create_role(RoleName=f"host-{self.name}", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName=f"host-{self.name}")
        iam.add_role_to_instance_profile(InstanceProfileName=f"host-{self.name}", RoleName=f"host-{self.name}")
        instance = self.running(IamInstanceProfile={"Name": f"host-{self.name}"})
        path = "meta-data/iam/security-credentials"
        self.assertEqual(f"host-{self.name}", self.metadata(instance, f"{path}/"))
        credentials = json.loads(self.metadata(instance, f"{path}/host-{self.name}"))
        caller = self.cloud.client("sts", key=credentials["AccessKeyId"]).get_caller_identity()["Arn"]
        self.assertTrue(caller.endswith(f":assumed-role/host-{self.name}/{instance}"), caller)

    def test_a_spot_notice_is_in_the_metadata(self) -> None:
        instance = self.running(InstanceMarketOptions={"MarketType": "spot"})
        self.assertEqual("", self.metadata(instance, "meta-data/spot/instance-action"))
        self.cloud.do("spot", instance_id=instance, seconds=120)
        self.assertEqual("terminate", json.loads(self.metadata(instance, "meta-data/spot/instance-action"))["action"])

    def test_planned_maintenance_is_in_the_metadata(self) -> None:
        instance = self.running()
        path = "meta-data/events/maintenance/scheduled"
        self.assertEqual([], json.loads(self.metadata(instance, path)))
        self.cloud.do("maintenance", instance_id=instance, code="instance-retirement", seconds=3600)
        [event] = json.loads(self.metadata(instance, path))
        self.assertEqual(("instance-retirement", "active"), (event["Code"], event["State"]))
        begins = datetime.strptime(event["NotBefore"], "%d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        self.assertAlmostEqual(3600, (begins - datetime.now(UTC)).total_seconds(), delta=60)

    def test_a_machine_that_shuts_down_is_asked_first(self) -> None:
        self.cloud.do("times", stop=5.0)
        self.addCleanup(self.cloud.do, "times", stop=0.2)
        script = "#!/bin/sh\ntrap 'echo told to end; exit' TERM\necho waiting\nwhile :; do sleep 0.05; done\n"
        instance = self.running(UserData=script)
        wait_until(lambda: "waiting" in self.console(instance), "it waits")
        self.ec2.stop_instances(InstanceIds=[instance])
        wait_until(lambda: "told to end" in self.console(instance), "it is told")

    def test_a_frozen_machine_goes_on_when_it_thaws(self) -> None:
        script = "#!/bin/sh\nwhile :; do date +%s%N >/run/now; sleep 0.01; done &\necho ticking\n"
        instance = self.running(UserData=script)
        wait_until(lambda: "ticking" in self.console(instance), "it runs")
        self.cloud.do("kill", instance_id=instance, how="freeze")
        seen = self.run_in(instance, "cat /run/now")
        self.assertEqual(seen, self.run_in(instance, "cat /run/now"))
        self.cloud.do("kill", instance_id=instance, how="thaw")
        wait_until(lambda: self.run_in(instance, "cat /run/now") != seen, "it goes on")
