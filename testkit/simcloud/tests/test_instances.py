"""Instances over their lives, and how they are described."""

from __future__ import annotations

from .harness import CloudTest, wait_until


class Instances(CloudTest):
    def test_an_instance_is_pending_before_it_runs_and_initializing_before_it_is_ok(self) -> None:
        self.cloud.do("times", boot=0.5, checks=1.0)
        self.addCleanup(self.cloud.do, "times", boot=0.3, checks=1.0)
        launched = self.launch()
        self.assertEqual("pending", self.instance(launched)["State"]["Name"])
        self.wait_state(launched, "running")
        wait_until(lambda: self.status(launched) == "initializing", "status checks begin")
        wait_until(lambda: self.status(launched) == "ok", "status checks pass")

    def test_a_terminated_instance_is_still_described(self) -> None:
        launched = self.running()
        answer = self.ec2.terminate_instances(InstanceIds=[launched])["TerminatingInstances"][0]
        self.assertEqual("shutting-down", answer["CurrentState"]["Name"])
        self.assertEqual("running", answer["PreviousState"]["Name"])
        self.wait_state(launched, "terminated")
        self.ec2.terminate_instances(InstanceIds=[launched])

    def test_a_stopped_instance_starts_again(self) -> None:
        launched = self.running()
        self.ec2.stop_instances(InstanceIds=[launched])
        self.wait_state(launched, "stopped")
        self.ec2.start_instances(InstanceIds=[launched])
        self.wait_state(launched, "running")

    def test_a_protected_instance_is_not_terminated(self) -> None:
        launched = self.running(DisableApiTermination=True)
        self.assert_refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[launched])

    def test_a_new_instance_is_unknown_for_a_while(self) -> None:
        self.cloud.do("lag", seconds=3600)
        launched = self.launch()
        self.assert_refused("InvalidInstanceID.NotFound", self.instance, instance_id=launched)
        self.assert_refused("InvalidInstanceID.NotFound", self.ec2.terminate_instances, InstanceIds=[launched])
        tags = [{"Key": "a", "Value": "b"}]
        self.assert_refused("InvalidInstanceID.NotFound", self.ec2.create_tags, Resources=[launched], Tags=tags)
        self.assertEqual([], self.described(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}]))
        self.cloud.do("lag", seconds=0)
        self.assertEqual([launched], self.described(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}]))

    def test_ids_that_are_none_are_told_from_ids_of_nothing(self) -> None:
        self.assert_refused("InvalidInstanceID.Malformed", self.ec2.describe_instances, InstanceIds=["foo"])
        unknown = "i-0123456789abcdef0"
        self.assert_refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[unknown])

    def test_pages_are_of_instances_and_may_be_empty(self) -> None:
        mine = self.launch_some(least=7, most=7)
        wanted = [{"Name": "vpc-id", "Values": [self.vpc]}]
        found: list[str] = []
        token, pages = "", 0
        while token is not None:
            more = {"NextToken": token} if token else {}
            answer = self.ec2.describe_instances(MaxResults=5, Filters=wanted, **more)
            page = [each["InstanceId"] for reservation in answer["Reservations"] for each in reservation["Instances"]]
            self.assertLessEqual(len(page), 5)
            found, token, pages = found + page, answer.get("NextToken"), pages + 1
        self.assertEqual(sorted(mine), sorted(found))
        self.assertGreater(pages, 1)

    def test_boots_that_fail_hang_or_come_to_nothing(self) -> None:
        self.cloud.do("boot", how="fail")
        self.wait_state(self.launch(), "terminated")
        self.cloud.do("boot", how="stuck", az="us-east-1b")
        stuck = self.launch(1)
        self.wait_state(self.launch(1), "running")
        self.assertEqual("pending", self.instance(stuck)["State"]["Name"])
        self.cloud.do("boot", how="dead")
        self.cloud.do("times", impaired=0.1)
        dead = self.running()
        wait_until(lambda: self.status(dead) == "impaired", "status checks notice")

    def test_a_machine_without_power_is_running_and_impaired(self) -> None:
        self.cloud.do("times", impaired=0.1)
        launched = self.running()
        self.cloud.do("kill", instance_id=launched, how="power")
        wait_until(lambda: self.status(launched) == "impaired", "status checks notice")
        self.assertEqual("running", self.instance(launched)["State"]["Name"])
        self.assertEqual(
            [launched],
            [
                each["InstanceId"]
                for each in self.ec2.describe_instance_status(
                    Filters=[{"Name": "instance-status.status", "Values": ["impaired"]}], InstanceIds=[launched]
                )["InstanceStatuses"]
            ],
        )

    def test_a_spot_instance_is_interrupted(self) -> None:
        launched = self.running(InstanceMarketOptions={"MarketType": "spot"})
        self.cloud.do("spot", instance_id=launched, seconds=0.1)
        self.wait_state(launched, "terminated")
        self.assertEqual("Server.SpotInstanceTermination", self.instance(launched)["StateReason"]["Code"])

    def test_an_image_is_pending_and_has_one_name(self) -> None:
        launched = self.running()
        image = self.ec2.create_image(InstanceId=launched, Name=self.name)["ImageId"]
        self.assertEqual("pending", self.image_state(image))
        self.assert_refused("InvalidAMIID.Unavailable", self.launch, ImageId=image)
        self.assert_refused("InvalidAMIName.Duplicate", self.ec2.create_image, InstanceId=launched, Name=self.name)
        wait_until(lambda: self.image_state(image) == "available", "the image is made")
        self.launch(ImageId=image)

    def test_tags_have_limits(self) -> None:
        launched = self.launch()
        for key, value in (("aws:x", "v"), ("k" * 129, "v"), ("k", "v" * 257)):
            tags = [{"Key": key, "Value": value}]
            self.assert_refused("InvalidParameterValue", self.ec2.create_tags, Resources=[launched], Tags=tags)
        many = [{"Key": f"k{number}", "Value": "v"} for number in range(51)]
        self.assert_refused("TagLimitExceeded", self.ec2.create_tags, Resources=[launched], Tags=many)

    def test_what_is_in_use_is_not_deleted(self) -> None:
        group = self.ec2.create_security_group(GroupName=self.name, Description="x", VpcId=self.vpc)["GroupId"]
        launched = self.running(SecurityGroupIds=[group])
        self.assert_refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        self.assert_refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.subnets[0])
        self.ec2.terminate_instances(InstanceIds=[launched])
        self.wait_state(launched, "terminated")
        for subnet in self.subnets:
            self.ec2.delete_subnet(SubnetId=subnet)
        self.assert_refused("DependencyViolation", self.ec2.delete_vpc, VpcId=self.vpc)
        self.ec2.delete_security_group(GroupId=group)

    def test_a_group_that_another_names_is_not_deleted(self) -> None:
        one, other = (
            self.ec2.create_security_group(GroupName=name, Description="x", VpcId=self.vpc)["GroupId"]
            for name in ("one", "other")
        )
        port = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": one}]}
        self.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[port])
        self.assert_refused("DependencyViolation", self.ec2.delete_security_group, GroupId=one)

    def status(self, instance_id: str) -> str:
        """Returns the status of an instance's checks."""
        found = self.ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"]
        return str(found[0]["InstanceStatus"]["Status"])

    def image_state(self, image: str) -> str:
        """Returns the state of an image."""
        return str(self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"])

    def described(self, **wish: object) -> list[str]:
        """Returns the ids of the instances that a description shows."""
        answer = self.ec2.describe_instances(**wish)
        return [each["InstanceId"] for reservation in answer["Reservations"] for each in reservation["Instances"]]
