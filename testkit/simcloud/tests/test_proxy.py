"""What HAProxy is told, as pure functions."""

from __future__ import annotations

import unittest

from simcloud.alb.checks import accepted
from simcloud.alb.config import fill, slots_for


class Proxy(unittest.TestCase):
    def test_slots_grow_in_powers_of_two_and_always_leave_room(self) -> None:
        self.assertEqual([16, 16, 32, 1024], [slots_for(count) for count in (0, 15, 16, 1000)])

    def test_a_process_begins_with_the_targets_of_the_moment(self) -> None:
        filled = fill("backend a\n  slots a 4\n", {"a": [("10.0.0.1:80", "ready"), ("10.0.0.2:81", "maint")]})
        wanted = [
            "backend a",
            "  server target1 10.0.0.1:80",
            "  server target2 10.0.0.2:81 disabled",
            "  server-template target 3-4 127.0.0.1:9 disabled",
        ]
        self.assertEqual(wanted, filled.splitlines())

    def test_matchers_have_values_and_ranges(self) -> None:
        for status, matcher, wanted in (
            (200, "200", True),
            (204, "200-299", True),
            (302, "200,301", False),
            (301, "200, 301", True),
        ):
            self.assertEqual(wanted, accepted(status, matcher), (status, matcher))
