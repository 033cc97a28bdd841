"""SSM's Run Command: what `AWS-RunShellScript` is sent really runs in the machine, as root."""

from __future__ import annotations

import subprocess
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from moto.core.responses import ActionResult
from moto.ssm.responses import SimpleSystemManagerResponse

from .. import account
from ..amend import amend
from ..wire import Refused
from .hosting import Hosting
from .machine import children

LONGEST_SECONDS = 600.0


class RemoteCommands:
    """Amends SSM's SendCommand, GetCommandInvocation and DescribeInstanceInformation."""

    def __init__(self, hosting: Hosting):
        self.hosting = hosting
        self._runs: dict[tuple[str, str], Future[subprocess.CompletedProcess[str]]] = {}
        self._work = ThreadPoolExecutor(8, thread_name_prefix="ssm")
        amend(SimpleSystemManagerResponse, "send_command", self._send)
        amend(SimpleSystemManagerResponse, "get_command_invocation", self._invocation)
        SimpleSystemManagerResponse.describe_instance_information = self._instances  # type: ignore[attr-defined]

    def _send(self, moto: Any, response: Any) -> Any:
        if response._get_param("DocumentName") != "AWS-RunShellScript":
            return moto(response)
        targets = response._get_param("InstanceIds") or []
        if missing := [each for each in targets if self.hosting.running(each) is None]:
            message = f"Instances [[{', '.join(missing)}]] not in a valid state for account {account.ACCOUNT}"
            raise Refused("InvalidInstanceId", message)
        number, script = str(uuid.uuid4()), "\n".join(response._get_param("Parameters")["commands"])
        for each in targets:
            self._runs[number, each] = self._work.submit(self._run, each, script)
        shown = {"CommandId": number, "DocumentName": "AWS-RunShellScript", "InstanceIds": targets, "Status": "Pending"}
        return ActionResult({"Command": shown})

    def _run(self, instance_id: str, script: str) -> subprocess.CompletedProcess[str]:
        machine = self.hosting.running(instance_id)
        assert machine is not None and machine.process is not None
        first = children(machine.process.pid)[0]
        enter = ["nsenter", "--target", str(first), "--mount", "--pid", "--uts", "--ipc", "--net", "--root", "--wd=/"]
        return subprocess.run(
            [*enter, "/bin/sh", "-c", script], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )

    def _invocation(self, moto: Any, response: Any) -> Any:
        number, instance_id = response._get_param("CommandId"), response._get_param("InstanceId")
        run = self._runs.get((number, instance_id))
        if run is None:
            return moto(response)
        shown: dict[str, Any] = {
            "CommandId": number,
            "InstanceId": instance_id,
            "Status": "InProgress",
            "ResponseCode": -1,
        }
        if run.done():
            result = run.result()
            shown["Status"] = "Success" if result.returncode == 0 else "Failed"
            shown["ResponseCode"] = result.returncode
            shown["StandardOutputContent"], shown["StandardErrorContent"] = result.stdout, result.stderr
        shown["StatusDetails"] = shown["Status"]
        return ActionResult(shown)

    def _instances(self, _response: Any = None) -> ActionResult:
        up = {each: shown for each, shown in self.hosting.describe().items() if shown["state"] == "up"}
        listed = [
            {
                "InstanceId": each,
                "PingStatus": "Online",
                "PlatformType": "Linux",
                "IPAddress": shown["address"],
                "LastPingDateTime": int(time.time()),
            }
            for each, shown in up.items()
        ]
        return ActionResult({"InstanceInformationList": listed})
