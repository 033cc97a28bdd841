//! Security groups, and whether each lets in what it should and nothing else.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{IpPermission, SecurityGroup};

use super::network::holds;
use super::{ours, part_of};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::Failure;
use crate::setup::allowed::{self, Allowed};
use crate::setup::{Found, Part, Piece, Setting, Wish};

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let all = groups(clients, wish).await?;
    // Their ids first: groups name each other.
    for settled in [false, true] {
        let mut noted = Vec::new();
        for group in &all {
            let (Some(id), Some(part)) = (group.group_id(), part_of(group.tags())) else { continue };
            let Part::Group(who) = part else { continue };
            let right = settled && allowed::wanted(who, found).is_some_and(|want| want == allowed(group));
            noted.push((part, Piece { id: id.to_owned(), holds: holds([(Setting::Rules, right)]), used: 0 }));
        }
        for (part, piece) in noted {
            if piece.holds.contains(&Setting::Rules) {
                found.note_set(&part, Setting::Rules);
            } else {
                found.note(part, piece);
            }
        }
    }
    Ok(())
}

/// Returns the platform's security groups.
pub(crate) async fn groups(clients: &Clients, wish: &Wish) -> Result<Vec<SecurityGroup>, Failure> {
    let call = clients.ec2.describe_security_groups().filters(ours(&wish.name));
    call.into_paginator().items().send().try_collect().await.of("ec2:DescribeSecurityGroups")
}

/// Returns what a group lets in.
pub(crate) fn allowed(group: &SecurityGroup) -> BTreeSet<Allowed> {
    group.ip_permissions().iter().flat_map(entries).collect()
}

fn entries(permission: &IpPermission) -> Vec<Allowed> {
    let from = permission.ip_ranges().iter().filter_map(|range| range.cidr_ip());
    let from = from.chain(permission.ipv6_ranges().iter().filter_map(|range| range.cidr_ipv6()));
    let from = from.chain(permission.user_id_group_pairs().iter().filter_map(|pair| pair.group_id()));
    let from = from.chain(permission.prefix_list_ids().iter().filter_map(|list| list.prefix_list_id()));
    let one = |from: &str| Allowed {
        protocol: permission.ip_protocol().unwrap_or_default().to_owned(),
        first: permission.from_port().unwrap_or(-1),
        last: permission.to_port().unwrap_or(-1),
        from: from.to_owned(),
    };
    from.map(one).collect()
}
