"""GetConsoleOutput: what the machine has printed, where there is one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.responses.general import General

from ..amend import amend

# EC2 keeps the latest 64 KB.
KEPT_BYTES = 64 * 1024


def install(read: Callable[[str], bytes] | None) -> None:
    """Amends GetConsoleOutput; `read(instance_id)` returns what was printed."""

    def output(_moto: Any, response: Any) -> ActionResult:
        instance = response.ec2_backend.get_instance(response.params["InstanceId"])
        printed = read(instance.id)[-KEPT_BYTES:] if read else b""
        shown = base64.b64encode(printed).decode()
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": shown})

    amend(General, "get_console_output", output)
