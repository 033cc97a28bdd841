"""Health checks as a load balancer makes them: over HTTP, from one of its addresses, so that security groups count."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..cloud import Cloud
from ..elb.health import Target, judge
from ..elb.targets import thresholds_of

CHECKS_AT_ONCE = 64
# However short checks are made, a target on a busy computer gets this long.
LEAST_TIMEOUT_SECONDS = 1.0


class Checks:
    """Checks the targets that are due; `source(group)` is the address to come from, `address(target)` where to go."""

    def __init__(self, cloud: Cloud, source: Callable[[str], str | None], address: Callable[[Target], str | None]):
        self.cloud, self.source, self.address = cloud, source, address
        self._work = ThreadPoolExecutor(CHECKS_AT_ONCE, thread_name_prefix="check")

    def begin(self, due: list[tuple[Any, Target]]) -> None:
        """Starts the checks that are due."""
        for group, target in due:
            target.checking = True
            self._work.submit(self._check, group, target)

    def _check(self, group: Any, target: Target) -> None:
        try:
            failure, detail = self._ask(group, target)
        finally:
            target.checking = False
        with self.cloud.lock:
            judge(target, failure, thresholds_of(group), detail)

    def _ask(self, group: Any, target: Target) -> tuple[str | None, str | None]:
        """Asks once; returns ELB's reason and words for a failure."""
        address, source = self.address(target), self.source(group.arn)
        if address is None or source is None:
            return "Target.FailedHealthChecks", None
        port = target.port if group.health_check_port in (None, "traffic-port") else int(group.health_check_port)
        seconds = max(LEAST_TIMEOUT_SECONDS, float(group.health_check_timeout_seconds) * self.cloud.times.health_scale)
        connection = _connect(group.health_check_protocol, address, port, seconds, source)
        try:
            headers = {"User-Agent": "ELB-HealthChecker/2.0", "Host": f"{address}:{port}", "Connection": "close"}
            connection.request("GET", group.health_check_path or "/", headers=headers)
            status = connection.getresponse().status
        except TimeoutError:
            return "Target.Timeout", None
        except (OSError, http.client.HTTPException):
            return "Target.FailedHealthChecks", None
        finally:
            connection.close()
        if accepted(status, (group.matcher or {}).get("HttpCode", "200")):
            return None, None
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"


def accepted(status: int, matcher: str) -> bool:
    """Tells whether a matcher such as `200-299,301` holds for a status."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def _connect(protocol: str | None, address: str, port: int, seconds: float, source: str) -> http.client.HTTPConnection:
    if protocol == "HTTPS":
        # Load balancers do not verify certificates of targets.
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(address, port, timeout=seconds, source_address=(source, 0), context=context)
    return http.client.HTTPConnection(address, port, timeout=seconds, source_address=(source, 0))
