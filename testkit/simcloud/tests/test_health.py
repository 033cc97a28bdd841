"""ALB's rules for health checks, as pure functions."""

from __future__ import annotations

import unittest

from simcloud.elb.health import Target, Thresholds, judge, served

THRESHOLDS = Thresholds(healthy=3, unhealthy=2)


def new() -> Target:
    """Returns a target that was just registered."""
    target = Target("i-0123456789abcdef0", 80)
    target.begin(0.0)
    return target


class Health(unittest.TestCase):
    def test_one_pass_is_enough_after_registration(self) -> None:
        target = new()
        judge(target, None, THRESHOLDS)
        self.assertEqual("healthy", target.state)

    def test_failures_lead_from_initial_to_unhealthy(self) -> None:
        target = new()
        judge(target, "Target.Timeout", THRESHOLDS)
        self.assertEqual(("initial", "Elb.InitialHealthChecking"), (target.state, target.reason))
        judge(target, "Target.Timeout", THRESHOLDS)
        self.assertEqual(("unhealthy", "Target.Timeout"), (target.state, target.reason))

    def test_thresholds_count_what_comes_in_a_row(self) -> None:
        target = new()
        for failure in (None, "Target.Timeout", None, "Target.Timeout"):
            judge(target, failure, THRESHOLDS)
        self.assertEqual("healthy", target.state)
        judge(target, "Target.Timeout", THRESHOLDS)
        self.assertEqual("unhealthy", target.state)
        for failure in (None, None, "Target.Timeout", None, None):
            judge(target, failure, THRESHOLDS)
        self.assertEqual("unhealthy", target.state)
        judge(target, None, THRESHOLDS)
        self.assertEqual("healthy", target.state)

    def test_checks_change_nothing_that_drains_or_was_told(self) -> None:
        target = new()
        target.enter("draining", "Target.DeregistrationInProgress")
        judge(target, None, THRESHOLDS)
        self.assertEqual("draining", target.state)
        told = new()
        told.enter("unhealthy", "Target.Timeout")
        told.told = True
        judge(told, None, THRESHOLDS)
        self.assertEqual("unhealthy", told.state)

    def test_traffic_goes_to_the_healthy_or_else_to_all(self) -> None:
        states = ("healthy", "unhealthy", "initial", "draining", "unused")
        targets = [Target(state, 80, state) for state in states]
        self.assertEqual(["healthy"], [each.id for each in served(targets)])
        self.assertEqual(["unhealthy", "initial"], [each.id for each in served(targets[1:])])
