"""RunInstances: tokens, pools, templates, refusals."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_network
from typing import Any

from .harness import IMAGE, CloudTest, wait_until

SCRIPT = "#!/bin/sh\necho hello\n"


class Launches(CloudTest):
    def test_the_same_token_gives_the_same_instance(self) -> None:
        first = self.launch(ClientToken=f"{self.name}-token")
        self.assertEqual(first, self.launch(ClientToken=f"{self.name}-token"))
        found = self.ec2.describe_instances(Filters=[{"Name": "client-token", "Values": [f"{self.name}-token"]}])
        self.assertEqual([first], [each["InstanceId"] for each in found["Reservations"][0]["Instances"]])

    def test_a_token_with_other_parameters_is_refused(self) -> None:
        self.launch(ClientToken=f"{self.name}-token")
        self.assert_refused(
            "IdempotentParameterMismatch", self.launch, ClientToken=f"{self.name}-token", InstanceType="m5.xlarge"
        )

    def test_a_token_is_used_up_with_its_instance_also_when_that_is_described_no_more(self) -> None:
        ended = self.running(ClientToken=f"{self.name}-token")
        self.ec2.terminate_instances(InstanceIds=[ended])
        self.wait_state(ended, "terminated")
        self.assert_refused("IdempotentInstanceTerminated", self.launch, ClientToken=f"{self.name}-token")
        self.cloud.do("times", shown=0.0)
        self.addCleanup(self.cloud.do, "times", shown=3600.0)
        wait_until(lambda: ended not in self.cloud.ask("state")["instances"], "it is described no more")
        self.assert_refused("IdempotentInstanceTerminated", self.launch, ClientToken=f"{self.name}-token")

    def test_a_pool_gives_what_it_has_and_then_nothing(self) -> None:
        self.cloud.do("capacity", **{"us-east-1b/m5.large": 3})
        self.assertEqual(3, len(self.launch_some(1, least=1, most=5)))
        refused = self.assert_refused("InsufficientInstanceCapacity", self.launch, zone=1)
        self.assertEqual(500, refused.response["ResponseMetadata"]["HTTPStatusCode"])
        self.assertIn("us-east-1a, us-east-1c", str(refused))
        self.launch(zone=2)

    def test_a_pool_that_has_less_than_the_least_gives_none(self) -> None:
        self.cloud.do("capacity", **{"us-east-1a/*": 2})
        self.assert_refused("InsufficientInstanceCapacity", self.launch_some, least=3, most=3)
        self.assertEqual(2, self.cloud.ask("state")["capacity"]["us-east-1a/*"])

    def test_spot_runs_out_by_itself(self) -> None:
        self.cloud.do("capacity", **{"us-east-1a/m5.large/spot": 0})
        spot = {"MarketType": "spot"}
        self.assert_refused("InsufficientInstanceCapacity", self.launch, InstanceMarketOptions=spot)
        self.launch()
        found = self.launch(zone=1, InstanceMarketOptions=spot)
        self.assertEqual("spot", self.instance(found)["InstanceLifecycle"])

    def test_all_of_a_template_counts(self) -> None:
        profile = self.profile()
        group = self.ec2.create_security_group(GroupName=self.name, Description="hosts", VpcId=self.vpc)["GroupId"]
        template = self.template(
            SecurityGroupIds=[group],
            IamInstanceProfile={"Name": profile},
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "cluster", "Value": "c1"}]}],
        )
        answer = self.ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template}, MinCount=2, MaxCount=2, SubnetId=self.subnets[2]
        )
        for launched in answer["Instances"]:
            found = self.instance(launched["InstanceId"])
            self.assertEqual("m5.large", found["InstanceType"])
            self.assertEqual("us-east-1c", found["Placement"]["AvailabilityZone"])
            self.assertEqual([group], [each["GroupId"] for each in found["SecurityGroups"]])
            self.assertTrue(found["IamInstanceProfile"]["Arn"].endswith(profile))
            self.assertEqual("required", found["MetadataOptions"]["HttpTokens"])
            self.assertIn({"Key": "cluster", "Value": "c1"}, found["Tags"])
            self.assertEqual(SCRIPT, self.user_data(launched["InstanceId"]))

    def test_a_new_version_keeps_what_its_source_had(self) -> None:
        template = self.template()
        self.ec2.create_launch_template_version(
            LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.xlarge"}
        )
        launched = self.ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
            MinCount=1,
            MaxCount=1,
            SubnetId=self.subnets[0],
        )["Instances"][0]
        self.assertEqual("m5.xlarge", launched["InstanceType"])
        self.assertEqual(SCRIPT, self.user_data(launched["InstanceId"]))

    def test_what_does_not_exist_is_refused(self) -> None:
        self.assert_refused("InvalidAMIID.NotFound", self.launch, ImageId="ami-00000000deadbeef0")
        self.assert_refused("InvalidParameterValue", self.launch, InstanceType="zz9.huge")
        self.assert_refused("InvalidSubnetID.NotFound", self.launch, SubnetId="subnet-0123456789abcdef0")
        self.assert_refused("InvalidGroup.NotFound", self.launch, SecurityGroupIds=["sg-0123456789abcdef0"])
        self.assert_refused("InvalidParameterValue", self.launch, IamInstanceProfile={"Name": "nobody"})
        self.assert_refused("InvalidKeyPair.NotFound", self.launch, KeyName="nobody")
        self.assert_refused("InvalidParameterValue", self.launch, UserData="x" * 16385)
        self.assert_refused("DryRunOperation", self.launch, DryRun=True)

    def test_a_launch_template_shows_tags_that_it_got_later(self) -> None:
        data = {"InstanceType": "t3.micro"}
        made = self.ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=data)
        template = made["LaunchTemplate"]["LaunchTemplateId"]
        self.ec2.create_tags(Resources=[template], Tags=[{"Key": "zone", "Value": "Z1"}])
        shown = self.ec2.describe_launch_templates(Filters=[{"Name": "tag:zone", "Values": ["Z1"]}])["LaunchTemplates"]
        self.assertEqual([[{"Key": "zone", "Value": "Z1"}]], [one["Tags"] for one in shown])

    def test_an_address_is_one_of_the_subnets_and_no_other_machines(self) -> None:
        address = str(ip_network(self.ec2.describe_subnets(SubnetIds=self.subnets[:1])["Subnets"][0]["CidrBlock"])[10])
        first = self.launch(PrivateIpAddress=address)
        self.assertEqual(address, self.instance(first)["PrivateIpAddress"])
        self.assert_refused("InvalidIPAddress.InUse", self.launch, PrivateIpAddress=address)
        self.assert_refused("InvalidParameterValue", self.launch, PrivateIpAddress="192.0.2.1")
        self.ec2.terminate_instances(InstanceIds=[first])
        self.wait_state(first, "terminated")
        self.launch(PrivateIpAddress=address)

    def test_a_subnet_can_be_full(self) -> None:
        small = self.ec2.create_subnet(
            VpcId=self.vpc, CidrBlock=f"{self.net}.200.0/28", AvailabilityZone="us-east-1a"
        )["Subnet"]["SubnetId"]
        self.launch_some(least=11, most=11, SubnetId=small)
        self.assert_refused("InsufficientFreeAddressesInSubnet", self.launch, SubnetId=small)

    def test_quotas_can_be_made_small(self) -> None:
        present = len([each for each in self.cloud.ask("state")["instances"].values() if each["state"] != "terminated"])
        self.cloud.do("limits", instances=present + 1)
        self.launch()
        self.assert_refused("InstanceLimitExceeded", self.launch)

    def test_a_new_profile_is_unknown_for_a_while(self) -> None:
        self.cloud.do("lag", seconds=3600)
        self.assert_refused("InvalidParameterValue", self.launch, IamInstanceProfile={"Name": self.profile()})

    def profile(self) -> str:
        """Makes an instance profile with a role."""
        iam, name = self.cloud.client("iam"), f"host-{self.name}"
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
        }
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return name

    def template(self, **more: Any) -> str:
        """Makes a launch template."""
        data = {
            "ImageId": IMAGE,
            "InstanceType": "m5.large",
            "UserData": base64.b64encode(SCRIPT.encode()).decode(),
            **more,
        }
        answer = self.ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData=data)
        return str(answer["LaunchTemplate"]["LaunchTemplateId"])

    def user_data(self, instance_id: str) -> str:
        """Returns what an instance was given."""
        answer = self.ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        return base64.b64decode(answer["UserData"]["Value"]).decode()
