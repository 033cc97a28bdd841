"""Load balancers, listeners, rules and groups: names, priorities, quotas."""

from __future__ import annotations

from .harness import CloudTest, wait_until


class Listeners(CloudTest):
    def test_a_load_balancer_is_provisioned_then_active(self) -> None:
        self.cloud.do("times", provision=0.3)
        arn = self.balancer()
        self.assertEqual("provisioning", self.state(arn))
        wait_until(lambda: self.state(arn) == "active", "the load balancer is active")

    def test_a_load_balancer_is_one_of_its_name(self) -> None:
        name = f"one-{self.name}"
        self.assertEqual(self.balancer(Name=name), self.balancer(Name=name))
        self.assert_refused("DuplicateLoadBalancerName", self.balancer, Name=name, Scheme="internal")

    def test_names_and_places_must_be_right(self) -> None:
        for name in ("x" * 33, "-ab", "ab-", "internal-ab", "a_b"):
            self.assert_refused("ValidationError", self.balancer, Name=name)
        for name in ("x" * 33, "-ab", "a_b"):
            self.assert_refused("ValidationError", self.group, Name=name)
        self.assert_refused("ValidationError", self.balancer, Subnets=self.subnets[:1])
        self.assert_refused("SubnetNotFound", self.balancer, Subnets=["subnet-0123456789abcdef0", self.subnets[0]])
        self.assert_refused("InvalidSecurityGroup", self.balancer, SecurityGroups=["sg-0123456789abcdef0"])

    def test_a_protected_load_balancer_stays(self) -> None:
        arn = self.balancer()
        protection = {"Key": "deletion_protection.enabled", "Value": "true"}
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[protection])
        self.assert_refused("OperationNotPermitted", self.elb.delete_load_balancer, LoadBalancerArn=arn)

    def test_a_group_is_one_of_its_name(self) -> None:
        name = f"one-{self.name}"
        self.assertEqual(self.group(Name=name), self.group(Name=name))
        self.assert_refused("DuplicateTargetGroupName", self.group, Name=name, Port=81)

    def test_a_port_has_one_listener(self) -> None:
        arn = self.balancer()
        self.listener(arn)
        self.assert_refused("DuplicateListener", self.listener, balancer=arn)
        self.assert_refused("ValidationError", self.listener, balancer=arn, port=443, Protocol="HTTPS")

    def test_priorities_are_exchanged_in_one_call(self) -> None:
        listener, group = self.listener(self.balancer()), self.group()
        one, other = self.rule(listener, 10, "a.example.com", group), self.rule(listener, 11, "b.example.com", group)
        self.assert_refused("PriorityInUse", self.rule, listener=listener, priority=10, host="c.example.com", group=group)
        taken = [{"RuleArn": one, "Priority": 11}]
        self.assert_refused("PriorityInUse", self.elb.set_rule_priorities, RulePriorities=taken)
        self.elb.set_rule_priorities(RulePriorities=[*taken, {"RuleArn": other, "Priority": 10}])
        found = {each["RuleArn"]: each["Priority"] for each in self.elb.describe_rules(ListenerArn=listener)["Rules"]}
        self.assertEqual(("11", "10"), (found[one], found[other]))

    def test_a_load_balancer_has_a_hundred_rules(self) -> None:
        listener, group = self.listener(self.balancer()), self.group()
        for number in range(1, 101):
            self.rule(listener, number, f"h{number}.example.com", group)
        self.assert_refused("TooManyRules", self.rule, listener=listener, priority=101, host="h.example.com", group=group)
        first = self.elb.describe_rules(ListenerArn=listener, PageSize=60)
        self.assertEqual(60, len(first["Rules"]))
        rest = self.elb.describe_rules(ListenerArn=listener, PageSize=60, Marker=first["NextMarker"])
        self.assertEqual(41, len(rest["Rules"]))

    def test_quotas_can_be_made_small(self) -> None:
        self.cloud.do("limits", groups_per_balancer=1, groups_per_action=1, targets_per_group=1)
        listener, group = self.listener(self.balancer()), self.group()
        self.rule(listener, 1, "a.example.com", group)
        self.assert_refused(
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            self.rule,
            listener=listener,
            priority=2,
            host="b.example.com",
            group=self.group(),
        )
        instance = self.running()
        targets = [{"Id": instance, "Port": port} for port in (8000, 8001)]
        self.assert_refused("TooManyTargets", self.elb.register_targets, TargetGroupArn=group, Targets=targets)

    def test_a_group_belongs_to_one_load_balancer(self) -> None:
        group = self.group()
        one, other = self.balancer(), self.balancer()
        rule = self.rule(self.listener(one), 1, "a.example.com", group)
        self.assertEqual([one], self.users(group))
        listener = self.listener(other)
        self.assert_refused("TargetGroupAssociationLimit", self.rule, listener=listener, priority=1, host="a", group=group)
        self.assert_refused("ResourceInUse", self.elb.delete_target_group, TargetGroupArn=group)
        self.elb.delete_rule(RuleArn=rule)
        self.assertEqual([], self.users(group))
        self.rule(listener, 1, "a.example.com", group)
        self.assertEqual([other], self.users(group))

    def test_a_rule_that_is_gone_is_not_found(self) -> None:
        rule = self.rule(self.listener(self.balancer()), 1, "a.example.com", self.group())
        self.elb.delete_rule(RuleArn=rule)
        self.assert_refused("RuleNotFound", self.elb.delete_rule, RuleArn=rule)

    def test_the_state_shows_all_of_it(self) -> None:
        arn, group = self.balancer(), self.group()
        rule = self.rule(self.listener(arn), 7, "a.example.com", group)
        listener = self.cloud.ask("state")["balancers"][arn]["listeners"][0]
        self.assertEqual((80, "HTTP"), (listener["port"], listener["protocol"]))
        self.assertEqual(
            [("7", rule), ("default", listener["rules"][1]["arn"])],
            [(each["priority"], each["arn"]) for each in listener["rules"]],
        )
        self.assertEqual(group, listener["rules"][0]["actions"][0]["TargetGroupArn"])

    def state(self, arn: str) -> str:
        """Returns a load balancer's state."""
        return str(self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"])

    def users(self, group: str) -> list[str]:
        """Returns the load balancers that use a group."""
        return list(self.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0].get("LoadBalancerArns", []))
