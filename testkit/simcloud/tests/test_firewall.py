"""Security groups as rules of the packet filter."""

from __future__ import annotations

import unittest

from simcloud.machines.firewall import Group, Member, Permission, render

OUT = (Permission("-1", None, None, cidr="0.0.0.0/0"),)
GROUPS = {
    "sg-1": Group((Permission("tcp", 80, 81, cidr="10.0.0.0/8"),), OUT),
    "sg-2": Group((Permission("udp", 53, 53, group="sg-1"), Permission("tcp", 1, 2, group="sg-gone")), OUT),
}
MEMBERS = [
    Member("10.0.0.4", ("sg-1",), "a"),
    Member("10.0.0.5", ("sg-1", "sg-2"), "b", routed=True, public="54.0.0.1", open_to_internet=True),
    Member("10.0.0.6", ("sg-2",), "b", node=True),
]


class Firewall(unittest.TestCase):
    def test_a_member_of_several_groups_has_the_permissions_of_all(self) -> None:
        text = render(GROUPS, MEMBERS, set(), set())
        chain = text[text.index("chain in_1 {") : text.index("chain", text.index("chain in_1 {") + 5)]
        self.assertIn("ip saddr 10.0.0.0/8 tcp dport 80-81 accept", chain)
        self.assertIn("ip saddr @members_sg_1 udp dport 53-53 accept", chain)
        self.assertTrue(chain.rstrip().endswith("drop\n}"), chain)

    def test_a_rule_with_a_group_that_is_gone_lets_nobody_in(self) -> None:
        self.assertNotIn("sg_gone", render(GROUPS, MEMBERS, set(), set()))

    def test_a_zone_that_is_cut_talks_to_itself_only(self) -> None:
        text = render(GROUPS, MEMBERS, {"10.0.0.9"}, {"b"})
        self.assertIn("ip saddr { 10.0.0.5 } ip daddr != { 10.0.0.5 } drop", text)
        self.assertIn("ip daddr { 10.0.0.6 } drop", text)
        self.assertIn("set lost { type ipv4_addr; elements = { 10.0.0.9 } }", text)

    def test_only_machines_with_a_public_address_are_translated_to_it(self) -> None:
        text = render(GROUPS, MEMBERS, set(), set())
        self.assertIn("dnat ip to ip daddr map { 54.0.0.1 : 10.0.0.5 }", text)
        self.assertNotIn("10.0.0.4 : 54", text)
