"""Starts clouds for tests and gives them a network to work in."""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import os
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

DEADLINE_SECONDS = float(os.environ.get("SIMCLOUD_TEST_SECONDS") or 60)
REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
IMAGE = "ami-12c6146b"
NAMES = itertools.count(1)


class Cloud:
    """A simulated cloud in a process of its own, which ends with this one's end of a pipe."""

    def __init__(self, *options: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "simcloud", "serve", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        if words[:2] != ["simcloud", "ready"]:
            raise RuntimeError(f"the cloud did not start: {words}")
        self.endpoint = words[2]

    def stop(self) -> None:
        """Ends the cloud as the end of its user would."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(DEADLINE_SECONDS)
        self.process.stdout.close()

    @functools.cache  # noqa: B019 — a cloud lives as long as the tests.
    def client(self, service: str, key: str = "AKIASIMCLOUD00000000") -> Any:
        """Returns a client of a service, which tries everything once."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key="simulated",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60, s3={"addressing_style": "path"}),
        )

    def ask(self, name: str) -> Any:
        """Asks the control API."""
        with urllib.request.urlopen(f"{self.endpoint}/_sim/{name}", timeout=DEADLINE_SECONDS) as answer:
            return json.load(answer)

    def do(self, name: str, **wish: Any) -> Any:
        """Tells the control API to do something."""
        request = urllib.request.Request(f"{self.endpoint}/_sim/{name}", data=json.dumps(wish).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as wrong:
            raise ValueError(wrong.read().decode()) from None


@functools.cache
def shared_cloud(*options: str) -> Cloud:
    """Returns the cloud with these options that all tests share."""
    cloud = Cloud(*options)
    atexit.register(cloud.stop)
    return cloud


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Returns what `condition` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in {DEADLINE_SECONDS:.0f} s: {what}")
        time.sleep(0.05)


class CloudTest(unittest.TestCase):
    """A test with a cloud, which others share, and a VPC of its own with a public subnet in each of three zones."""

    options: tuple[str, ...] = ()
    cloud: Cloud
    ec2: Any
    elb: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.cloud = shared_cloud(*cls.options)
        cls.ec2, cls.elb = cls.cloud.client("ec2"), cls.cloud.client("elbv2")

    def setUp(self) -> None:
        self.addCleanup(self.cloud.do, "clear")
        number = next(NAMES)
        self.name, self.net = f"test-{number}", f"10.{number}"
        self.vpc = self.ec2.create_vpc(CidrBlock=f"{self.net}.0.0/16")["Vpc"]["VpcId"]
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["RouteTables"][0]
        self.ec2.create_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"{self.net}.{part}.0/24", AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for part, zone in enumerate(ZONES)
        ]

    def launch(self, zone: int = 0, **more: Any) -> str:
        """Launches one instance and returns its id."""
        return str(self.launch_some(zone, **more)[0])

    def launch_some(self, zone: int = 0, least: int = 1, most: int = 1, **more: Any) -> list[str]:
        """Launches instances and returns their ids."""
        wish = {"ImageId": IMAGE, "InstanceType": "m5.large", "SubnetId": self.subnets[zone], **more}
        answer = self.ec2.run_instances(MinCount=least, MaxCount=most, **wish)
        return [each["InstanceId"] for each in answer["Instances"]]

    def instance(self, instance_id: str) -> Any:
        """Describes one instance."""
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def wait_state(self, instance_id: str, state: str) -> None:
        """Waits for an instance's state."""
        wait_until(lambda: self.instance(instance_id)["State"]["Name"] == state, f"{instance_id} is {state}")

    def running(self, zone: int = 0, **more: Any) -> str:
        """Launches an instance and waits until it runs."""
        instance_id = self.launch(zone, **more)
        self.wait_state(instance_id, "running")
        return instance_id

    def balancer(self, **more: Any) -> str:
        """Makes a load balancer in all zones and returns its ARN."""
        wish = {"Name": f"lb-{self.name}-{next(NAMES)}", "Subnets": self.subnets, **more}
        return str(self.elb.create_load_balancer(**wish)["LoadBalancers"][0]["LoadBalancerArn"])

    def group(self, **more: Any) -> str:
        """Makes a target group and returns its ARN."""
        wish = {
            "Name": f"tg-{self.name}-{next(NAMES)}",
            "Protocol": "HTTP",
            "Port": 80,
            "VpcId": self.vpc,
            "TargetType": "instance",
            "HealthCheckPath": "/up",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            **more,
        }
        return str(self.elb.create_target_group(**wish)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, balancer: str, port: int = 80, group: str | None = None, **more: Any) -> str:
        """Makes a listener, which answers 404 by itself unless it gets a group, and returns its ARN."""
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
        action = {"Type": "forward", "TargetGroupArn": group} if group else fixed
        wish = {"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port, "DefaultActions": [action], **more}
        return str(self.elb.create_listener(**wish)["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, priority: int, host: str, group: str) -> str:
        """Makes a rule that sends a host to a group and returns its ARN."""
        answer = self.elb.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return str(answer["Rules"][0]["RuleArn"])

    def health(self, group: str) -> dict[tuple[str, int], tuple[str, str | None]]:
        """Returns state and reason of a group's targets."""
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {
            (each["Target"]["Id"], each["Target"]["Port"]): (
                each["TargetHealth"]["State"],
                each["TargetHealth"].get("Reason"),
            )
            for each in found
        }

    def assert_refused(self, code: str, call: Callable[..., Any], **parameters: Any) -> ClientError:
        """Asserts that a call is refused with a code, and returns the error."""
        with self.assertRaises(ClientError) as caught:
            call(**parameters)
        self.assertEqual(code, caught.exception.response["Error"]["Code"], caught.exception)
        return caught.exception
