"""Targets of a cloud without machines: identity, states, draining."""

from __future__ import annotations

from .harness import CloudTest, wait_until


class Targets(CloudTest):
    def used_group(self, **more: object) -> str:
        """Makes a target group that a load balancer sends requests to."""
        group = self.group(**more)
        self.listener(self.balancer(), group=group)
        return group

    def register(self, group: str, *targets: tuple[str, int]) -> None:
        """Registers targets."""
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": name, "Port": port} for name, port in targets])

    def wait_health(self, group: str, target: tuple[str, int], state: str | None, reason: str | None = None) -> None:
        """Waits until a target has a state, or with None until it is gone."""
        wanted = (state, reason) if state else None
        wait_until(lambda: self.health(group).get(target) == wanted, f"{target} is {wanted}")

    def test_one_instance_has_targets_of_several_ports(self) -> None:
        instance, group = self.running(), self.used_group()
        self.register(group, (instance, 8000), (instance, 8001))
        self.assertEqual({8000, 8001}, {port for _, port in self.health(group)})
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance, "Port": 8000}])
        self.assertEqual("draining", self.health(group)[instance, 8000][0])
        self.wait_health(group, (instance, 8001), "healthy")

    def test_a_target_is_initial_before_it_is_healthy(self) -> None:
        self.cloud.do("times", register=1.0)
        self.addCleanup(self.cloud.do, "times", register=0.2)
        instance, group = self.running(), self.used_group()
        self.register(group, (instance, 8000))
        self.assertEqual(("initial", "Elb.RegistrationInProgress"), self.health(group)[instance, 8000])
        self.wait_health(group, (instance, 8000), "healthy")

    def test_a_group_that_nobody_uses_has_unused_targets(self) -> None:
        instance, group = self.running(), self.group()
        self.register(group, (instance, 8000))
        self.assertEqual(("unused", "Target.NotInUse"), self.health(group)[instance, 8000])
        self.listener(self.balancer(), group=group)
        self.wait_health(group, (instance, 8000), "healthy")

    def test_a_target_in_a_zone_that_is_not_enabled_is_unused(self) -> None:
        instance, group = self.running(2), self.group()
        self.listener(self.balancer(Subnets=self.subnets[:2]), group=group)
        self.register(group, (instance, 8000))
        self.wait_health(group, (instance, 8000), "unused", "Target.NotInUse")

    def test_a_deregistered_target_drains_and_goes_or_comes_back(self) -> None:
        instance, group = self.running(), self.used_group()
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "1"}
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        self.register(group, (instance, 8000), (instance, 8001))
        self.elb.deregister_targets(
            TargetGroupArn=group, Targets=[{"Id": instance, "Port": 8000}, {"Id": instance, "Port": 8001}]
        )
        self.register(group, (instance, 8001))
        self.wait_health(group, (instance, 8000), None)
        self.wait_health(group, (instance, 8001), "healthy")
        asked = self.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": instance, "Port": 8000}])
        self.assertEqual("Target.NotRegistered", asked["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"])

    def test_what_is_no_running_instance_of_the_vpc_is_refused(self) -> None:
        group = self.group()
        for instance in ("i-0123456789abcdef0", self.launch()):
            targets = [{"Id": instance, "Port": 80}]
            self.assert_refused("InvalidTarget", self.elb.register_targets, TargetGroupArn=group, Targets=targets)
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-0123456789abcdef0", "Port": 80}])

    def test_a_terminated_instance_drains_and_a_stopped_one_is_unused(self) -> None:
        one, other, group = self.running(), self.running(), self.used_group()
        self.register(group, (one, 8000), (other, 8000))
        self.ec2.terminate_instances(InstanceIds=[one])
        self.ec2.stop_instances(InstanceIds=[other])
        self.wait_health(group, (one, 8000), "draining", "Target.DeregistrationInProgress")
        self.wait_health(group, (other, 8000), "unused", "Target.InvalidState")

    def test_health_follows_a_test_until_it_lets_go(self) -> None:
        instance, group = self.running(), self.used_group()
        self.register(group, (instance, 8000))
        self.wait_health(group, (instance, 8000), "healthy")
        name = group.split("/")[1]
        self.cloud.do("health", group=name, id=instance, port=8000, state="unhealthy", reason="Target.Timeout")
        self.assertEqual(("unhealthy", "Target.Timeout"), self.health(group)[instance, 8000])
        self.cloud.do("health", group=name, id=instance, port=8000, state=None)
        self.wait_health(group, (instance, 8000), "healthy")

    def test_targets_of_a_lost_machine_or_zone_become_unhealthy(self) -> None:
        self.cloud.do("times", health_scale=0.01)
        self.addCleanup(self.cloud.do, "times", health_scale=1.0)
        one, other, group = self.running(0), self.running(1), self.used_group()
        self.register(group, (one, 8000), (other, 8000))
        self.wait_health(group, (one, 8000), "healthy")
        self.cloud.do("kill", instance_id=one, how="power")
        self.wait_health(group, (one, 8000), "unhealthy", "Target.Timeout")
        self.wait_health(group, (other, 8000), "healthy")
        self.cloud.do("cut", az="us-east-1b")
        self.wait_health(group, (other, 8000), "unhealthy", "Target.Timeout")
        self.cloud.do("heal", az="us-east-1b")
        self.wait_health(group, (other, 8000), "healthy")
