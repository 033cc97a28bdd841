//! The network: what is in it, and how its parts are joined.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    Filter, InternetGateway, NatGateway, NatGatewayState, RouteTable, Subnet, VpcAttributeName, VpcEndpoint,
};

use super::{ours, part_of, vpc};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{Egress, Found, HostSubnet, Network, Part, Piece, Setting, Wish};

/// What a route is for when it is for all else.
const ELSEWHERE: &str = "0.0.0.0/0";

pub(super) async fn look(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    if let Network::Adopted { vpc, host_subnets, .. } = &wish.network {
        found.adopted.host_subnets = adopted(clients, vpc, host_subnets).await?;
    }
    let subnets = subnets(clients, wish).await?;
    let tables = tables(clients, wish).await?;
    let inside =
        subnets.iter().filter_map(Subnet::vpc_id).chain(tables.iter().filter_map(RouteTable::vpc_id));
    vpcs(clients, wish, &inside.collect::<Vec<_>>(), found).await?;
    gateways(clients, wish, found).await?;
    addresses(clients, wish, found).await?;
    nats(clients, wish, found).await?;
    note_tables(wish, &tables, found);
    subnets.iter().for_each(|subnet| note_subnet(wish, subnet, &tables, found));
    endpoints(clients, wish, found).await
}

async fn adopted(clients: &Clients, vpc: &str, ids: &[String]) -> Result<Vec<HostSubnet>, Failure> {
    let call = clients.ec2.describe_subnets().set_subnet_ids(Some(ids.to_vec()));
    let answer = call.send().await.of("ec2:DescribeSubnets")?;
    let subnets = answer.subnets();
    if let Some(other) = subnets.iter().find(|subnet| subnet.vpc_id() != Some(vpc)) {
        let message = format!("the subnet {} is not in {vpc}", other.subnet_id().unwrap_or_default());
        let code = "another network".to_owned();
        return Err(Failure { kind: Kind::Refused, action: "ec2:DescribeSubnets", code, message });
    }
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(subnets
        .iter()
        .map(|subnet| HostSubnet { id: text(subnet.subnet_id()), zone: text(subnet.availability_zone()) })
        .collect())
}

async fn subnets(clients: &Clients, wish: &Wish) -> Result<Vec<Subnet>, Failure> {
    let call = clients.ec2.describe_subnets().filters(ours(&wish.name));
    call.into_paginator().items().send().try_collect().await.of("ec2:DescribeSubnets")
}

async fn tables(clients: &Clients, wish: &Wish) -> Result<Vec<RouteTable>, Failure> {
    let call = clients.ec2.describe_route_tables().filters(ours(&wish.name));
    call.into_paginator().items().send().try_collect().await.of("ec2:DescribeRouteTables")
}

async fn vpcs(clients: &Clients, wish: &Wish, inside: &[&str], found: &mut Found) -> Result<(), Failure> {
    let call = clients.ec2.describe_vpcs().filters(ours(&wish.name));
    let vpcs: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeVpcs")?;
    for vpc in vpcs {
        let (Some(id), Some(part)) = (vpc.vpc_id(), part_of(vpc.tags())) else { continue };
        let asked =
            clients.ec2.describe_vpc_attribute().vpc_id(id).attribute(VpcAttributeName::EnableDnsHostnames);
        let attribute = asked.send().await.of("ec2:DescribeVpcAttribute")?;
        let named = attribute.enable_dns_hostnames().and_then(|value| value.value()).unwrap_or(false);
        let holds = holds([(Setting::HostNames, named)]);
        let used = inside.iter().filter(|inside| **inside == id).count();
        found.note(part, Piece { id: id.to_owned(), holds, used });
    }
    Ok(())
}

async fn gateways(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let call = clients.ec2.describe_internet_gateways().filters(ours(&wish.name));
    let all: Vec<InternetGateway> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInternetGateways")?;
    let vpc = found.id(&Part::Vpc).map(str::to_owned);
    for gateway in all {
        let (Some(id), Some(part)) = (gateway.internet_gateway_id(), part_of(gateway.tags())) else {
            continue;
        };
        let attached =
            gateway.attachments().iter().any(|to| to.vpc_id().is_some() && to.vpc_id() == vpc.as_deref());
        let holds = holds([(Setting::Attached, attached)]);
        found.note(part, Piece { id: id.to_owned(), holds, used: gateway.attachments().len() });
    }
    Ok(())
}

async fn addresses(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    // This call has no pages.
    let call = clients.ec2.describe_addresses().filters(ours(&wish.name));
    for address in call.send().await.of("ec2:DescribeAddresses")?.addresses() {
        let (Some(id), Some(part)) = (address.allocation_id(), part_of(address.tags())) else { continue };
        let used = usize::from(address.association_id().is_some());
        found.note(part, Piece { id: id.to_owned(), used, ..Piece::default() });
    }
    Ok(())
}

async fn nats(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let call = clients.ec2.describe_nat_gateways().filter(ours(&wish.name));
    let all: Vec<NatGateway> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeNatGateways")?;
    // A deleted one is listed for an hour.
    let there = |nat: &&NatGateway| {
        matches!(nat.state(), Some(NatGatewayState::Available | NatGatewayState::Pending))
    };
    for nat in all.iter().filter(there) {
        let (Some(id), Some(part)) = (nat.nat_gateway_id(), part_of(nat.tags())) else { continue };
        found.note(part, Piece { id: id.to_owned(), ..Piece::default() });
    }
    Ok(())
}

fn note_tables(wish: &Wish, tables: &[RouteTable], found: &mut Found) {
    for table in tables {
        let (Some(id), Some(part)) = (table.route_table_id(), part_of(table.tags())) else { continue };
        let out = table.routes().iter().find(|route| route.destination_cidr_block() == Some(ELSEWHERE));
        let wanted = way_out(wish, found, &part);
        let leads = out.and_then(|route| route.gateway_id().or(route.nat_gateway_id()));
        let holds = holds([(Setting::WayOut, wanted.is_some() && leads == wanted)]);
        found.note(part, Piece { id: id.to_owned(), holds, used: table.associations().len() });
    }
}

/// Returns where a route table should send what is not for the network.
pub(crate) fn way_out<'a>(wish: &Wish, found: &'a Found, part: &Part) -> Option<&'a str> {
    match part {
        Part::PublicRoutes => found.id(&Part::Gateway),
        Part::PrivateRoutes(zone) => found.id(&Part::Nat(wish.nat_of(zone)?.to_owned())),
        _ => None,
    }
}

fn note_subnet(wish: &Wish, subnet: &Subnet, tables: &[RouteTable], found: &mut Found) {
    let (Some(id), Some(part)) = (subnet.subnet_id(), part_of(subnet.tags())) else { return };
    let follows = tables
        .iter()
        .find(|table| table.associations().iter().any(|association| association.subnet_id() == Some(id)));
    let wanted = routes_of(&part).and_then(|routes| found.id(&routes));
    let routed = wanted.is_some() && follows.and_then(RouteTable::route_table_id) == wanted;
    let addresses = subnet.map_public_ip_on_launch() == Some(wish.egress == Egress::PublicAddresses);
    let holds = holds([(Setting::Routed, routed), (Setting::Addresses, addresses)]);
    found.note(part, Piece { id: id.to_owned(), holds, used: 0 });
}

/// Returns the routes that a subnet follows.
pub(crate) fn routes_of(part: &Part) -> Option<Part> {
    match part {
        Part::PublicSubnet(_) => Some(Part::PublicRoutes),
        Part::PrivateSubnet(zone) => Some(Part::PrivateRoutes(zone.clone())),
        _ => None,
    }
}

async fn endpoints(clients: &Clients, wish: &Wish, found: &mut Found) -> Result<(), Failure> {
    let Some(vpc) = vpc(wish, found).map(str::to_owned) else { return Ok(()) };
    let call = clients.ec2.describe_vpc_endpoints().filters(ours(&wish.name));
    let call = call.filters(Filter::builder().name("vpc-id").values(vpc).build());
    let all: Vec<VpcEndpoint> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeVpcEndpoints")?;
    for endpoint in all {
        let (Some(id), Some(part)) = (endpoint.vpc_endpoint_id(), part_of(endpoint.tags())) else { continue };
        let state = endpoint.state().map(|state| state.as_str().to_ascii_lowercase()).unwrap_or_default();
        if state.starts_with("delet") {
            continue;
        }
        let listed: BTreeSet<&str> = endpoint.route_table_ids().iter().map(String::as_str).collect();
        let wanted = route_tables(wish, found);
        let all_list = wanted.iter().all(|table| listed.contains(table.as_str()));
        found.note(
            part,
            Piece { id: id.to_owned(), holds: holds([(Setting::ListedInRoutes, all_list)]), used: 0 },
        );
    }
    Ok(())
}

/// Returns the ids of all wanted route tables that exist.
pub(crate) fn route_tables(wish: &Wish, found: &Found) -> Vec<String> {
    let parts = wish.parts().into_iter();
    let tables = parts.filter(|part| matches!(part, Part::PublicRoutes | Part::PrivateRoutes(_)));
    tables.filter_map(|part| found.id(&part).map(str::to_owned)).collect()
}

/// Returns those settings that are true.
pub(super) fn holds<const N: usize>(settings: [(Setting, bool); N]) -> BTreeSet<Setting> {
    settings.into_iter().filter(|(_, holds)| *holds).map(|(setting, _)| setting).collect()
}
