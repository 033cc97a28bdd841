"""What can be made to go wrong with calls."""

from __future__ import annotations

import threading
import time

from botocore.exceptions import ClientError, HTTPClientError

from .harness import CloudTest, wait_until


class Faults(CloudTest):
    def test_an_error_comes_as_often_as_asked_after_what_is_skipped(self) -> None:
        self.cloud.do("fault", service="ec2", action="DescribeVpcs", code="RequestLimitExceeded", skip=1, times=2)
        codes = []
        for _ in range(4):
            try:
                self.ec2.describe_vpcs()
                codes.append("ok")
            except ClientError as error:
                codes.append(f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}")
        self.assertEqual(["ok", "RequestLimitExceeded 503", "RequestLimitExceeded 503", "ok"], codes)

    def test_errors_have_the_shape_of_their_service(self) -> None:
        clients = {
            "elasticloadbalancing": (self.elb, "describe_load_balancers", "Throttling"),
            "ssm": (self.cloud.client("ssm"), "describe_parameters", "ThrottlingException"),
            "s3": (self.cloud.client("s3"), "list_buckets", "SlowDown"),
            "sts": (self.cloud.client("sts"), "get_caller_identity", "Throttling"),
            "iam": (self.cloud.client("iam"), "list_roles", "Throttling"),
            "route53": (self.cloud.client("route53"), "list_hosted_zones", "Throttling"),
        }
        for service, (client, method, code) in clients.items():
            self.cloud.do("fault", service=service, code=code, times=1)
            self.assert_refused(code, getattr(client, method))
            getattr(client, method)()

    def test_a_fault_is_for_the_parameters_it_names(self) -> None:
        self.cloud.do("fault", action="DescribeSubnets", match={"SubnetId.1": self.subnets[1]}, code="InternalError")
        self.ec2.describe_subnets(SubnetIds=self.subnets[:1])
        self.assert_refused("InternalError", self.ec2.describe_subnets, SubnetIds=self.subnets[1:2])

    def test_a_lost_reply_is_to_a_call_that_was_carried_out(self) -> None:
        last = max(call["number"] for call in self.cloud.ask("calls"))
        self.cloud.do("fault", action="CreateSecurityGroup", drop="before", times=1)
        self.cloud.do("fault", action="CreateSecurityGroup", drop="after", times=1)
        wish = {"GroupName": self.name, "Description": "x", "VpcId": self.vpc}
        with self.assertRaises(HTTPClientError):
            self.ec2.create_security_group(**wish)
        with self.assertRaises(HTTPClientError):
            self.ec2.create_security_group(**wish)
        self.assert_refused("InvalidGroup.Duplicate", self.ec2.create_security_group, **wish)
        seen = [call["status"] for call in self.cloud.ask(f"calls?after={last}") if call["action"] == "CreateSecurityGroup"]
        self.assertEqual(["dropped before", "dropped after", 400], seen)

    def test_an_error_can_hide_a_success(self) -> None:
        self.cloud.do("fault", action="CreateTargetGroup", code_after="InternalError", times=1)
        self.assert_refused("InternalError", self.group, Name=self.name)
        self.assertEqual(1, len(self.elb.describe_target_groups(Names=[self.name])["TargetGroups"]))

    def test_a_delayed_call_takes_its_time(self) -> None:
        self.cloud.do("fault", action="DescribeVpcs", delay=0.5, times=1)
        began = time.monotonic()
        self.ec2.describe_vpcs()
        self.assertGreaterEqual(time.monotonic() - began, 0.5)

    def test_a_held_call_waits_until_it_is_released(self) -> None:
        number = self.cloud.do("fault", action="CreateSecurityGroup", hold="before", times=1)["number"]
        wish = {"GroupName": self.name, "Description": "x", "VpcId": self.vpc}
        call = threading.Thread(target=self.ec2.create_security_group, kwargs=wish)
        call.start()
        wait_until(lambda: self.cloud.ask("faults")[0]["held"] == 1, "the call is held")
        self.assertEqual([], self.groups())
        self.cloud.do("release", number=number)
        call.join()
        self.assertEqual([self.name], self.groups())

    def test_rates_are_limited_per_action(self) -> None:
        self.cloud.do("throttle", scale=0.4)
        self.launch()
        self.launch()
        refused = self.assert_refused("RequestLimitExceeded", self.launch)
        self.assertEqual(503, refused.response["ResponseMetadata"]["HTTPStatusCode"])
        self.instance(next(iter(self.cloud.ask("state")["instances"])))
        self.cloud.do("throttle", scale=None)
        self.launch()

    def test_expired_keys_are_refused_until_renewed(self) -> None:
        ec2, elb = (self.cloud.client(service, key="AKIAOLD") for service in ("ec2", "elbv2"))
        self.cloud.do("expire", access_key_id="AKIAOLD")
        self.assert_refused("RequestExpired", ec2.describe_vpcs)
        self.assert_refused("ExpiredToken", elb.describe_load_balancers)
        self.ec2.describe_vpcs()
        self.cloud.do("renew", access_key_id="AKIAOLD")
        ec2.describe_vpcs()

    def test_calls_are_listed_in_order(self) -> None:
        last = max(call["number"] for call in self.cloud.ask("calls"))
        self.ec2.describe_vpcs()
        self.elb.describe_load_balancers()
        seen = [(call["service"], call["action"], call["status"]) for call in self.cloud.ask(f"calls?after={last}")]
        self.assertEqual([("ec2", "DescribeVpcs", 200), ("elasticloadbalancing", "DescribeLoadBalancers", 200)], seen)

    def test_a_call_that_is_not_modelled_says_so_once(self) -> None:
        refused = self.assert_refused(
            "InvalidAction", self.cloud.client("autoscaling").start_instance_refresh, AutoScalingGroupName="x"
        )
        self.assertEqual(400, refused.response["ResponseMetadata"]["HTTPStatusCode"])

    def test_a_wrong_wish_is_answered_with_what_is_wrong(self) -> None:
        for wish in ({"action": "x", "cod": "y"}, {"action": "x"}, {"drop": "sometimes"}, {"code": "x", "action": "("}):
            with self.assertRaises(ValueError):
                self.cloud.do("fault", **wish)
        with self.assertRaises(ValueError):
            self.cloud.do("kill", instance_id="i-0123456789abcdef0")
        with self.assertRaises(ValueError):
            self.cloud.do("nonsense")
        self.ec2.describe_vpcs()

    def test_objects_are_stored_and_read_back(self) -> None:
        s3 = self.cloud.client("s3")
        s3.create_bucket(Bucket=self.name)
        s3.put_object(Bucket=self.name, Key="a/b", Body=b"x" * 100_000)
        self.assertEqual(100_000, s3.head_object(Bucket=self.name, Key="a/b")["ContentLength"])
        self.assertEqual(b"x" * 100_000, s3.get_object(Bucket=self.name, Key="a/b")["Body"].read())
        s3.delete_object(Bucket=self.name, Key="a/b")

    def groups(self) -> list[str]:
        """Returns the names of the test's security groups."""
        wanted = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "group-name", "Values": [self.name]}]
        return [each["GroupName"] for each in self.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]]
