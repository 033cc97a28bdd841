"""What tests of a cloud with machines share: user data with a server in it, and requests from the simulated internet."""

from __future__ import annotations

import base64
import functools
import os
import shutil
import subprocess
import sys
import unittest
from typing import Any

from simcloud import enclosure

from .harness import REGION, Cloud, CloudTest, wait_until

# Says which machine and port it is; /slow takes as long as asked, /up fails while /run/sick is there.
SERVER = """#!/bin/sh
cat >/run/server.py <<'PYTHON'
import http.server, os, socket, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(float(self.path.split("=")[1]))
        sick = self.path == "/up" and os.path.exists("/run/sick")
        body = f"{socket.gethostname()}:{self.server.server_address[1]} {self.headers.get('X-Forwarded-For', '-')}".encode()
        self.send_response(500 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
for port in 8000, 8001:
    server = http.server.ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever).start()
print("servers are up", flush=True)
PYTHON
/usr/bin/python3 -S /run/server.py
"""
# Fetches URLs until it is told to stop, then prints how many were not answered with 200.
LOAD = """
import http.client, sys, threading
bad, total, stop = [], [0], threading.Event()
def ask():
    while not stop.is_set():
        try:
            connection = http.client.HTTPConnection(sys.argv[1], 80, timeout=10)
            connection.request("GET", "/", headers={"Host": sys.argv[2]})
            status = connection.getresponse().status
            connection.close()
        except Exception as problem:
            status = repr(problem)
        total[0] += 1
        if status != 200: bad.append(status)
threads = [threading.Thread(target=ask) for _ in range(4)]
for each in threads: each.start()
print("going", flush=True)
sys.stdin.read()
stop.set()
for each in threads: each.join()
print(total[0], len(bad), bad[:5])
"""


@functools.cache
def unable() -> str | None:
    """Returns why there can be no machines here, if so."""
    missing = [each for each in ("haproxy", "nft", "ip", "unshare", "nsenter", "curl") if not shutil.which(each)]
    if missing:
        return f"there is no {', '.join(missing)} here"
    user = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    steps = ("ip link add one type veth peer name two", "nft add table inet probe", "mount -t tmpfs tmpfs /mnt")
    tried = subprocess.run(
        ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", " && ".join(steps)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return None if tried.returncode == 0 else f"namespaces cannot be had: {tried.stderr.strip()}"


def announce() -> None:
    """Says that tests are left out, where they are."""
    if why := unable():
        print(f"SKIPPED: simulated machines and load balancers that work: {why}", file=sys.stderr)


class MachineTest(CloudTest):
    """A test with machines; health checks are ten times as frequent as asked."""

    options = ("--machines",)

    @classmethod
    def setUpClass(cls) -> None:
        if why := unable():
            raise unittest.SkipTest(why)
        super().setUpClass()
        cls.cloud.do("times", health_scale=0.1, boot=0.05, provision=0.05, register=0.05)

    def setUp(self) -> None:
        super().setUp()
        self.hosts = self.ec2.create_security_group(GroupName="hosts", Description="hosts", VpcId=self.vpc)["GroupId"]
        self.front = self.ec2.create_security_group(GroupName="front", Description="balancers", VpcId=self.vpc)["GroupId"]
        self.allow(self.front, 80, CidrIp="0.0.0.0/0")
        self.allow(self.hosts, 8000, source=self.front, last=8001)
        self.addCleanup(self.end_all)

    def end_all(self) -> None:
        """Ends what the test has launched, so that others have the machine for themselves."""
        for arn, balancer in self.cloud.ask("lbs").items():
            if f"-{self.name}-" in balancer["name"]:
                self.elb.delete_load_balancer(LoadBalancerArn=arn)
        found = self.ec2.describe_instances(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Reservations"]
        mine = [each["InstanceId"] for reservation in found for each in reservation["Instances"]]
        if mine:
            self.ec2.terminate_instances(InstanceIds=mine)

    def allow(self, group: str, port: int, source: str | None = None, last: int | None = None, **far: str) -> None:
        """Lets TCP in, from another group or a CIDR."""
        who: dict[str, Any] = {"UserIdGroupPairs": [{"GroupId": source}]} if source else {"IpRanges": [far]}
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": last or port, **who}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])

    def serving(self, zone: int = 0, **more: Any) -> str:
        """Launches a machine with servers and waits until they are up."""
        instance = self.running(zone, SecurityGroupIds=[self.hosts], UserData=SERVER, **more)
        wait_until(lambda: "servers are up" in self.console(instance), f"{instance} serves")
        return instance

    def console(self, instance: str) -> str:
        """Returns what a machine has printed."""
        shown = self.ec2.get_console_output(InstanceId=instance).get("Output", "")
        # boto3 decodes it once.
        return str(shown)

    def front_of(self, *targets: tuple[str, int], **more: Any) -> tuple[str, str]:
        """Puts a load balancer with one group before targets; returns its address and the group's ARN."""
        group = self.group(**more)
        balancer = self.balancer(SecurityGroups=[self.front])
        self.listener(balancer, group=group)
        self.register(group, *targets)
        return self.address(balancer), group

    def register(self, group: str, *targets: tuple[str, int]) -> None:
        """Registers targets."""
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": name, "Port": port} for name, port in targets])

    def address(self, balancer: str, zone: int = 0) -> str:
        """Returns where a load balancer takes requests in a zone."""

        def found() -> str | None:
            nodes = self.cloud.ask("lbs")[balancer]["addresses"]
            return next((each["address"] for each in nodes if each["zone"] == f"{REGION}{'abc'[zone]}"), None)

        return str(wait_until(found, "the load balancer has an address"))

    def wait_health(self, group: str, *states: str) -> None:
        """Waits until the targets of a group have these states, in any order."""
        wait_until(
            lambda: sorted(each for each, _ in self.health(group).values()) == sorted(states), f"targets are {states}"
        )

    def fetch(self, url: str, *options: str) -> str:
        """Fetches a URL from the simulated internet; returns status and body, or 000 if there is no answer."""
        command = ["curl", "--silent", "--insecure", "--max-time", "5", "--write-out", r"\n%{http_code}", *options, url]
        body, _, status = self.inside(command).rpartition("\n")
        return f"{status} {body.strip()}".strip()

    def inside(self, command: list[str]) -> str:
        """Runs a program on the simulated internet and returns what it printed."""
        way = enclosure.way_in(self.cloud.process.pid)
        return subprocess.run([*way, *command], capture_output=True, text=True, timeout=60, check=False).stdout

    def run_in(self, instance: str, script: str) -> str:
        """Runs a script in a machine with SSM and returns what it printed."""
        ssm = self.cloud.client("ssm")
        sent = ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]})
        number = sent["Command"]["CommandId"]

        def ended() -> dict[str, Any] | None:
            shown = ssm.get_command_invocation(CommandId=number, InstanceId=instance)
            return shown if shown["Status"] != "InProgress" else None

        return str(wait_until(ended, "the command ends")["StandardOutputContent"])


class Load:
    """Requests from the simulated internet, one after another on four threads, while a `with` lasts."""

    def __init__(self, cloud: Cloud, address: str, host: str = "example.com"):
        way = enclosure.way_in(cloud.process.pid)
        self.command = [*way, sys.executable, "-c", LOAD, address, host]
        self.total = self.bad = 0
        self.said = ""

    def __enter__(self) -> Load:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self.said, _none = self.process.communicate(timeout=60)
        self.total, self.bad = (int(each) for each in self.said.split()[:2])


def encode(text: str) -> str:
    """Returns base64, as launch templates want user data."""
    return base64.b64encode(text.encode()).decode()
