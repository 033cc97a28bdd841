//! Looks at what there is of a set-up. Most is found by its tags; roles and the bucket, which AWS does not list by tags,
//! by their names, and then the tags say whether they are ours.

mod balancer;
mod bucket;
mod groups;
mod leftovers;
mod network;
mod roles;
mod template;

use aws_sdk_ec2::types::{Filter, Tag};

use super::settle::{Patience, bear};
use super::{CLUSTER_TAG, ClusterName, Egress, Found, HostSubnet, Network, PART_TAG, Part, Wish};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};

pub(crate) use balancer::{STRICT_HEADERS, subnets_by_zone};
pub(crate) use bucket::{TIDY, all_blocked, lifecycle, tidy, tls_only};
pub(crate) use groups::{allowed, groups};
pub(super) use leftovers::names as look_at_names;
pub(crate) use network::{route_tables, routes_of, way_out};
pub(crate) use roles::{POLICY, known, policy_of};
pub(crate) use template::{default_version, is_as_wanted, newest_image};

/// Looks at everything, and compares it with the wish.
///
/// # Errors
/// AWS did not answer, or something that is not ours has a name that ours would have.
pub(super) async fn look_once(clients: &Clients, wish: &Wish) -> Result<Found, Failure> {
    let mut found = Found::of(clients.account().await?);
    bucket::look(clients, wish, &mut found).await?;
    network::look(clients, wish, &mut found).await?;
    balancer::look(clients, wish, &mut found).await?;
    groups::look(clients, wish, &mut found).await?;
    template::look(clients, wish, &mut found).await?;
    roles::look(clients, wish, &mut found).await?;
    leftovers::look(clients, wish, &mut found).await?;
    Ok(found)
}

/// Returns the network's id, if there is one.
pub(crate) fn vpc<'a>(wish: &'a Wish, found: &'a Found) -> Option<&'a str> {
    match &wish.network {
        Network::Own { .. } => found.id(&Part::Vpc),
        Network::Adopted { vpc, .. } => Some(vpc),
    }
}

/// Returns the region's first three zones: as many as there are a, b and c of.
///
/// # Errors
/// AWS did not answer.
pub async fn first_zones(clients: &Clients) -> Result<Vec<String>, Failure> {
    bear(Patience::default(), Kind::is_passing, async || zones(clients).await).await
}

async fn zones(clients: &Clients) -> Result<Vec<String>, Failure> {
    let whole = Filter::builder().name("zone-type").values("availability-zone").build();
    let open = Filter::builder().name("state").values("available").build();
    let call = clients.ec2.describe_availability_zones().filters(whole).filters(open);
    let answer = call.send().await.of("ec2:DescribeAvailabilityZones")?;
    let mut zones: Vec<String> =
        answer.availability_zones().iter().filter_map(|zone| zone.zone_name()).map(str::to_owned).collect();
    zones.sort();
    zones.truncate(3);
    Ok(zones)
}

/// Returns where hosts go.
pub(crate) fn host_subnets(wish: &Wish, found: &Found) -> Vec<HostSubnet> {
    if let Network::Adopted { .. } = wish.network {
        return found.adopted.host_subnets.clone();
    }
    let public = wish.egress == Egress::PublicAddresses;
    let part = |zone: &String| {
        if public { Part::PublicSubnet(zone.clone()) } else { Part::PrivateSubnet(zone.clone()) }
    };
    let subnet =
        |zone: &String| Some(HostSubnet { id: found.id(&part(zone))?.to_owned(), zone: zone.clone() });
    wish.zones.iter().filter_map(subnet).collect()
}

/// Returns the filter for what carries the platform's tag.
pub(crate) fn ours(name: &ClusterName) -> Filter {
    Filter::builder().name(format!("tag:{CLUSTER_TAG}")).values(name.as_str()).build()
}

/// Returns the part that these tags name.
pub(crate) fn part_of(tags: &[Tag]) -> Option<Part> {
    let part = tags.iter().find(|tag| tag.key() == Some(PART_TAG))?;
    part.value()?.parse().ok()
}

/// Returns a failure about something that has our name and not our tag.
fn foreign(action: &'static str, what: &str) -> Failure {
    Failure {
        kind: Kind::Conflict,
        action,
        code: "not ours".into(),
        message: format!(
            "{what} exists already without the platform's tag {CLUSTER_TAG}; choose another --name"
        ),
    }
}
