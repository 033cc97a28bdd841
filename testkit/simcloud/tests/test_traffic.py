"""Load balancers that take requests, security groups that are enforced, machines and zones that are lost."""

from __future__ import annotations

import subprocess
import threading

from .harness import wait_until
from .machines import Load, MachineTest


class Traffic(MachineTest):
    def name_of(self, instance: str) -> str:
        """Returns the host name of a machine."""
        return "ip-" + str(self.instance(instance)["PrivateIpAddress"]).replace(".", "-")

    def seen(self, address: str, count: int = 12) -> set[str]:
        """Returns which servers answer so many requests."""
        answers = [self.fetch(f"http://{address}/").split() for _ in range(count)]
        return {words[1] if words[0] == "200" else words[0] for words in answers}

    def test_requests_go_to_all_ports_of_all_machines(self) -> None:
        one, other = self.serving(0), self.serving(1)
        targets = [(each, port) for each in (one, other) for port in (8000, 8001)]
        address, group = self.front_of(*targets)
        self.wait_health(group, *["healthy"] * 4)
        wanted = {f"{self.name_of(each)}:{port}" for each, port in targets}
        wait_until(lambda: self.seen(address) == wanted, "all four answer")
        self.assertEqual("203.0.113.10", self.fetch(f"http://{address}/").split()[2])

    def test_rules_are_tried_in_order(self) -> None:
        instance = self.serving()
        group, balancer = self.group(), self.balancer(SecurityGroups=[self.front])
        listener = self.listener(balancer)
        self.register(group, (instance, 8000))
        self.rule(listener, 20, "*.example.com", group)
        self.elb.create_rule(
            ListenerArn=listener,
            Priority=10,
            Conditions=[
                {"Field": "host-header", "Values": ["a.example.com"]},
                {"Field": "path-pattern", "Values": ["/gone*"]},
            ],
            Actions=[
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {
                        "StatusCode": "410",
                        "ContentType": "text/plain",
                        "MessageBody": "it's gone",
                    },
                }
            ],
        )
        self.elb.create_rule(
            ListenerArn=listener,
            Priority=15,
            Conditions=[{"Field": "path-pattern", "Values": ["/old"]}],
            Actions=[{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}],
        )
        self.wait_health(group, "healthy")
        address = self.address(balancer)

        def get(host: str, path: str, *options: str) -> str:
            return self.fetch(f"http://{address}{path}", "--header", f"Host: {host}", *options)

        wait_until(lambda: get("a.example.com", "/gone/x") == "410 it's gone", "the fixed response")
        self.assertEqual("404", get("example.org", "/"))
        wait_until(lambda: get("a.example.com", "/").startswith("200 ip-"), "the forward")
        headers = get("a.example.com", "/old?x=1", "--include")
        self.assertIn("location: https://a.example.com:443/old?x=1", headers.lower())

    def test_two_load_balancers_have_addresses_and_groups_of_their_own(self) -> None:
        one, other = self.serving(0), self.serving(1)
        first, first_group = self.front_of((one, 8000))
        second, second_group = self.front_of((other, 8001))
        self.wait_health(first_group, "healthy")
        self.wait_health(second_group, "healthy")
        wait_until(lambda: self.seen(first, 3) == {f"{self.name_of(one)}:8000"}, "the first has its own")
        wait_until(lambda: self.seen(second, 3) == {f"{self.name_of(other)}:8001"}, "the second has its own")

    def test_a_certificate_is_named_by_its_arn(self) -> None:
        instance, acm = self.serving(), self.cloud.client("acm")
        arn = acm.request_certificate(DomainName="a.example.com", ValidationMethod="DNS")["CertificateArn"]
        group, balancer = self.group(), self.balancer(SecurityGroups=[self.front])
        self.allow(self.front, 443, CidrIp="0.0.0.0/0")
        self.listener(balancer, port=443, group=group, Protocol="HTTPS", Certificates=[{"CertificateArn": arn}])
        self.register(group, (instance, 8000))
        self.wait_health(group, "healthy")
        address = self.address(balancer)
        wait_until(lambda: self.fetch(f"https://{address}/").startswith("200 "), "it answers over TLS")
        shown = self.inside(
            [
                "sh",
                "-c",
                f"openssl s_client -connect {address}:443 </dev/null 2>/dev/null | openssl x509 -noout -subject",
            ]
        )
        self.assertIn("a.example.com", shown)

    def test_a_cookie_keeps_a_client_with_its_target(self) -> None:
        instance = self.serving()
        address, group = self.front_of((instance, 8000), (instance, 8001))
        sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=sticky)
        self.wait_health(group, "healthy", "healthy")

        def cookie() -> str | None:
            lines = self.fetch(f"http://{address}/", "--include").splitlines()
            return next((line.split()[1] for line in lines if line.lower().startswith("set-cookie:")), None)

        held = wait_until(cookie, "a cookie is set")
        answers = {self.fetch(f"http://{address}/", "--header", f"Cookie: {held}") for _ in range(6)}
        self.assertEqual(1, len(answers))

    def test_groups_decide_who_reaches_a_machine(self) -> None:
        instance, group = self.serving(), self.group()
        balancer = self.balancer(SecurityGroups=[self.front])
        self.listener(balancer, group=group)
        self.register(group, (instance, 8000))
        self.wait_health(group, "healthy")
        private = self.instance(instance)["PrivateIpAddress"]
        self.assertEqual("000", self.fetch(f"http://{private}:8000/", "--max-time", "1"))
        self.assertEqual("000", self.fetch(f"http://{self.address(balancer)}:81/", "--max-time", "1"))
        neighbour = self.serving()
        ask = f"curl -s -m 1 -o /dev/null -w '%{{http_code}}' http://{private}:8000/"
        self.assertEqual("000", self.run_in(neighbour, ask))
        self.allow(self.hosts, 8000, source=self.hosts)
        wait_until(lambda: self.run_in(neighbour, ask) == "200", "the neighbour may now")

    def test_health_checks_need_the_group_too(self) -> None:
        instance = self.serving()
        address, group = self.front_of((instance, 8000))
        self.wait_health(group, "healthy")
        permission = self.ec2.describe_security_groups(GroupIds=[self.hosts])["SecurityGroups"][0]["IpPermissions"]
        self.ec2.revoke_security_group_ingress(GroupId=self.hosts, IpPermissions=permission)
        self.wait_health(group, "unhealthy")
        self.assertEqual("Target.Timeout", self.health(group)[instance, 8000][1])
        self.ec2.authorize_security_group_ingress(GroupId=self.hosts, IpPermissions=permission)
        self.wait_health(group, "healthy")
        wait_until(lambda: self.fetch(f"http://{address}/").startswith("200"), "it answers again")

    def test_machines_have_a_way_out_only_by_a_route_and_an_address(self) -> None:
        api = "curl -s -m 1 -o /dev/null -w '%{http_code}' http://198.51.100.10/_sim/ready"
        self.assertEqual("000", self.run_in(self.running(), api))
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self.subnets[0],
            "AssociatePublicIpAddress": True,
            "Groups": [self.hosts],
        }
        answer = self.ec2.run_instances(
            ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1, NetworkInterfaces=[interface]
        )
        public = answer["Instances"][0]["InstanceId"]
        self.wait_state(public, "running")
        self.assertEqual("200", self.run_in(public, api))

    def test_all_targets_get_requests_when_none_is_healthy(self) -> None:
        instance = self.serving()
        address, group = self.front_of((instance, 8000), (instance, 8001))
        self.wait_health(group, "healthy", "healthy")
        self.run_in(instance, "touch /run/sick")
        self.wait_health(group, "unhealthy", "unhealthy")
        self.assertEqual({"Target.ResponseCodeMismatch"}, {reason for _, reason in self.health(group).values()})
        self.assertEqual(2, len(self.seen(address)))

    def test_a_request_under_way_ends_while_its_target_drains(self) -> None:
        instance = self.serving()
        address, group = self.front_of((instance, 8000))
        self.wait_health(group, "healthy")
        wait_until(lambda: self.fetch(f"http://{address}/").startswith("200"), "it answers")
        answers: list[str] = []
        slow = threading.Thread(target=lambda: answers.append(self.fetch(f"http://{address}/slow=2")))
        slow.start()
        wait_until(
            lambda: self.run_in(instance, "ss -tnH state established '( sport = :8000 )'"), "the request is under way"
        )
        self.register(group, (instance, 8001))
        wait_until(lambda: self.health(group)[instance, 8001][0] == "healthy", "the other is healthy")
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance, "Port": 8000}])
        wait_until(lambda: self.seen(address, 4) == {f"{self.name_of(instance)}:8001"}, "new requests go to the other")
        slow.join()
        self.assertTrue(answers[0].startswith("200"), answers)

    def test_no_request_is_lost_while_rules_and_targets_change(self) -> None:
        instance = self.serving()
        group, balancer = self.group(), self.balancer(SecurityGroups=[self.front])
        listener = self.listener(balancer, group=group)
        self.register(group, (instance, 8000))
        self.wait_health(group, "healthy")
        address = self.address(balancer)
        wait_until(lambda: self.fetch(f"http://{address}/").startswith("200"), "it answers")
        with Load(self.cloud, address) as load:
            for number in range(1, 6):
                more = self.group()
                self.rule(listener, number, f"h{number}.example.org", more)
                self.register(more, (instance, 8000))
                self.wait_health(more, "healthy")
            self.register(group, (instance, 8001))
            self.wait_health(group, "healthy", "healthy")
            self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance, "Port": 8000}])
            wait_until(lambda: self.health(group)[instance, 8000][0] == "draining", "it drains")
        self.assertGreater(load.total, 50, load.said)
        self.assertEqual(0, load.bad, load.said)

    def test_a_machine_that_is_lost_is_taken_out(self) -> None:
        lost = {how: self.serving(0) for how in ("power", "network", "freeze")}
        other = self.serving(1)
        address, group = self.front_of((other, 8000), *((each, 8000) for each in lost.values()))
        self.wait_health(group, *["healthy"] * 4)
        for how, instance in lost.items():
            self.cloud.do("kill", instance_id=instance, how=how)
        self.wait_health(group, "healthy", *["unhealthy"] * 3)
        for instance in lost.values():
            self.assertEqual(("unhealthy", "Target.Timeout"), self.health(group)[instance, 8000])
            self.assertEqual("running", self.instance(instance)["State"]["Name"])
        wait_until(lambda: self.seen(address, 4) == {f"{self.name_of(other)}:8000"}, "the other has all")
        self.cloud.do("kill", instance_id=lost["network"], how="connect")
        self.cloud.do("kill", instance_id=lost["freeze"], how="thaw")
        self.wait_health(group, "unhealthy", *["healthy"] * 3)

    def test_a_zone_that_is_cut_off_comes_back(self) -> None:
        one, other = self.serving(0), self.serving(1)
        address, group = self.front_of((one, 8000), (other, 8000))
        balancer = next(
            arn
            for arn, each in self.cloud.ask("lbs").items()
            if {"address": address, "zone": "us-east-1a"} in each["addresses"]
        )
        self.wait_health(group, "healthy", "healthy")
        self.cloud.do("cut", az="us-east-1a")
        self.addCleanup(self.cloud.do, "heal", az="us-east-1a")
        self.wait_health(group, "healthy", "unhealthy")
        self.assertEqual("000", self.fetch(f"http://{address}/", "--max-time", "1"))
        elsewhere = self.address(balancer, zone=1)
        wait_until(lambda: self.seen(elsewhere, 4) == {f"{self.name_of(other)}:8000"}, "the other zone has all")
        self.cloud.do("heal", az="us-east-1a")
        self.wait_health(group, "healthy", "healthy")
        wait_until(lambda: self.fetch(f"http://{address}/").startswith("200"), "the zone's node answers again")

    def test_nothing_inside_reaches_what_is_outside(self) -> None:
        listeners = subprocess.run(["ss", "-tlnH"], capture_output=True, text=True, check=True).stdout
        port = self.cloud.endpoint.rpartition(":")[2]
        self.assertIn(f"127.0.0.1:{port}", listeners)
        self.assertEqual("000", self.fetch(f"http://127.0.0.1:{port}/_sim/ready", "--max-time", "1"))
        self.assertTrue(self.fetch("http://198.51.100.10/_sim/ready").startswith("200"))
