"""The list of calls that the cloud has answered, for tests that count them or step faults through them."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any

from .wire import Call

KEPT = 50_000


class Calls:
    """The latest calls, and how many there were of each action since the cloud came up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._number = 0

    def record(self, call: Call, status: int | str, code: str | None, seconds: float) -> None:
        """Adds a call with its HTTP status, or what became of it instead."""
        with self._lock:
            self._number += 1
            self._counts[f"{call.service} {call.action}"] += 1
            self._latest.append(
                {
                    "number": self._number,
                    "at": round(time.time(), 3),
                    "service": call.service,
                    "action": call.action,
                    "region": call.region,
                    "key_id": call.key_id,
                    "status": status,
                    "code": code,
                    "ms": round(seconds * 1000, 1),
                }
            )

    def after(self, number: int) -> list[dict[str, Any]]:
        """Returns the calls with higher numbers."""
        with self._lock:
            return [call for call in self._latest if call["number"] > number]

    def counts(self) -> dict[str, int]:
        """Returns the number of calls by `service action`."""
        with self._lock:
            return dict(self._counts)
