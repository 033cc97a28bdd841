"""What is made to go wrong with calls: errors, delays, lost requests and lost replies, calls that are held.

A fault names the calls it is for. `skip` lets that many pass first and `times` bounds how often it strikes, so that a
test can step one fault through a list of calls.
"""

from __future__ import annotations

import itertools
import random
import re
import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

from .wire import Call

# Nobody waits longer than this for a test that forgot to release what it held.
LONGEST_HOLD_SECONDS = 120.0
NUMBERS = itertools.count(1)


@dataclass
class Fault:
    """One kind of misfortune; the README's table says what each field does."""

    service: str | None = None
    action: str = ".*"
    match: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    code_after: str | None = None
    status: int | None = None
    message: str | None = None
    delay: float = 0.0
    drop: str | None = None
    hold: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    number: int = field(default_factory=lambda: next(NUMBERS))
    struck: int = 0
    held: int = 0
    released: threading.Event = field(default_factory=threading.Event, repr=False)

    def wanted(self, call: Call) -> bool:
        """Tells whether this fault is for `call`; counts it among those to skip if so."""
        if self.times is not None and self.struck >= self.times:
            return False
        if self.service not in (None, call.service) or not re.fullmatch(self.action, call.action):
            return False
        if any(not re.search(pattern, call.parameters.get(name, "")) for name, pattern in self.match.items()):
            return False
        if random.random() > self.probability:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.struck += 1
        return True

    def wait(self, moment: str) -> None:
        """Holds a call `before` or `after` it is carried out until the fault is released, or lets it sleep its delay."""
        if moment == "before" and self.delay:
            time.sleep(self.delay)
        if self.hold == moment:
            self.held += 1
            self.released.wait(LONGEST_HOLD_SECONDS)

    def describe(self) -> dict[str, Any]:
        """Returns the fault as the control API shows it."""
        shown = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "released"}
        return {name: value for name, value in shown.items() if value not in (None, {}, 0.0) or name in ("struck", "held")}


SETTABLE = {each.name for each in fields(Fault)} - {"number", "struck", "held", "released"}


def read_fault(wish: dict[str, Any]) -> Fault:
    """Makes a fault of what the control API was sent; ValueError tells what is wrong with it."""
    unknown = set(wish) - SETTABLE
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(SETTABLE))}")
    fault = Fault(**wish)
    for moment in (fault.drop, fault.hold):
        if moment not in (None, "before", "after"):
            raise ValueError("`drop` and `hold` are `before` or `after`")
    if not (fault.code or fault.code_after or fault.delay or fault.drop or fault.hold):
        raise ValueError("a fault has a `code`, `code_after`, `delay`, `drop` or `hold`")
    for pattern in (fault.action, *fault.match.values()):
        try:
            re.compile(pattern)
        except re.error as wrong:
            raise ValueError(f"`{pattern}` is no pattern: {wrong}") from None
    return fault


class Faults:
    """The faults in force; the first that wants a call gets it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Puts a fault in force."""
        with self._lock:
            self._faults.append(fault)

    def take(self, call: Call) -> Fault | None:
        """Returns the fault that strikes `call`, if one does."""
        with self._lock:
            return next((fault for fault in self._faults if fault.wanted(call)), None)

    def release(self, number: int | None = None) -> None:
        """Lets go of the calls that one fault, or any, holds; later ones are not held any more."""
        with self._lock:
            for fault in self._faults:
                if number in (None, fault.number):
                    fault.released.set()

    def clear(self) -> None:
        """Takes all faults out of force and lets go of what they hold."""
        self.release()
        with self._lock:
            self._faults.clear()

    def describe(self) -> list[dict[str, Any]]:
        """Returns all faults, also those that have struck as often as they may."""
        with self._lock:
            return [fault.describe() for fault in self._faults]
