//! The network.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, DomainType, NatGatewayState, ResourceType, VpcEndpointType};

use super::{Making, done, told, unclear};
use crate::call::Of as _;
use crate::failure::Failure;
use crate::setup::look::{route_tables, routes_of, way_out};
use crate::setup::{Egress, Network, Part, Setting, Wish};

/// A NAT gateway takes a minute or two.
const NAT_PATIENCE: Duration = Duration::from_secs(300);
const NAT_PAUSE: Duration = Duration::from_secs(3);

/// What a route is for when it is for all else.
const ELSEWHERE: &str = "0.0.0.0/0";

impl Making<'_> {
    pub(super) async fn network_part(&self, part: &Part) -> Result<String, Failure> {
        match part {
            Part::Vpc => self.create_vpc().await,
            Part::Gateway => self.create_gateway().await,
            Part::PublicSubnet(zone) => self.create_subnet(part, zone, true).await,
            Part::PrivateSubnet(zone) => self.create_subnet(part, zone, false).await,
            Part::PublicRoutes | Part::PrivateRoutes(_) => self.create_routes(part).await,
            Part::Address(_) => self.create_address(part).await,
            Part::Nat(zone) => self.create_nat(part, zone).await,
            Part::BucketEndpoint => self.create_endpoint().await,
            other => Err(unclear("aws:up", &format!("{} is no part of the network", other.words()))),
        }
    }

    pub(super) async fn set_network(&self, part: &Part, setting: Setting) -> Result<(), Failure> {
        match setting {
            Setting::HostNames => self.set_host_names().await,
            Setting::Attached => self.attach_gateway().await,
            Setting::Addresses => self.set_addresses(part).await,
            Setting::Routed => self.set_routed(part).await,
            Setting::WayOut => self.set_way_out(part).await,
            Setting::ListedInRoutes => self.set_listed().await,
            other => Err(unclear("aws:up", &format!("{other:?} is nothing of the network's"))),
        }
    }

    fn prefix(&self) -> Result<[u8; 2], Failure> {
        match self.wish.network {
            Network::Own { prefix } => Ok(prefix),
            Network::Adopted { .. } => Err(unclear("aws:up", "an adopted network is left as it is")),
        }
    }

    async fn create_vpc(&self) -> Result<String, Failure> {
        let call = self.clients.ec2.create_vpc().cidr_block(Wish::addresses(self.prefix()?));
        let call = call.tag_specifications(self.tagged(ResourceType::Vpc, &Part::Vpc));
        let answer = call.send().await.of("ec2:CreateVpc")?;
        told("ec2:CreateVpc", answer.vpc().and_then(|vpc| vpc.vpc_id()))
    }

    async fn set_host_names(&self) -> Result<(), Failure> {
        let on = AttributeBooleanValue::builder().value(true).build();
        let call =
            self.clients.ec2.modify_vpc_attribute().vpc_id(self.id(&Part::Vpc)?).enable_dns_hostnames(on);
        call.send().await.of("ec2:ModifyVpcAttribute").map(drop)
    }

    async fn create_gateway(&self) -> Result<String, Failure> {
        let tags = self.tagged(ResourceType::InternetGateway, &Part::Gateway);
        let call = self.clients.ec2.create_internet_gateway().tag_specifications(tags);
        let answer = call.send().await.of("ec2:CreateInternetGateway")?;
        let id = answer.internet_gateway().and_then(|gateway| gateway.internet_gateway_id());
        told("ec2:CreateInternetGateway", id)
    }

    async fn attach_gateway(&self) -> Result<(), Failure> {
        let call = self.clients.ec2.attach_internet_gateway().vpc_id(self.id(&Part::Vpc)?);
        let call = call.internet_gateway_id(self.id(&Part::Gateway)?);
        done(call.send().await.of("ec2:AttachInternetGateway").map(drop))
    }

    async fn create_subnet(&self, part: &Part, zone: &str, public: bool) -> Result<String, Failure> {
        let addresses = Wish::subnet_addresses(self.prefix()?, zone, public);
        let call = self.clients.ec2.create_subnet().vpc_id(self.id(&Part::Vpc)?).availability_zone(zone);
        let call = call.set_cidr_block(addresses).tag_specifications(self.tagged(ResourceType::Subnet, part));
        let answer = call.send().await.of("ec2:CreateSubnet")?;
        told("ec2:CreateSubnet", answer.subnet().and_then(|subnet| subnet.subnet_id()))
    }

    async fn set_addresses(&self, part: &Part) -> Result<(), Failure> {
        let given = self.wish.egress == Egress::PublicAddresses;
        let given = AttributeBooleanValue::builder().value(given).build();
        let call = self.clients.ec2.modify_subnet_attribute().subnet_id(self.id(part)?);
        call.map_public_ip_on_launch(given).send().await.of("ec2:ModifySubnetAttribute").map(drop)
    }

    async fn create_routes(&self, part: &Part) -> Result<String, Failure> {
        let call = self.clients.ec2.create_route_table().vpc_id(self.id(&Part::Vpc)?);
        let call = call.tag_specifications(self.tagged(ResourceType::RouteTable, part));
        let answer = call.send().await.of("ec2:CreateRouteTable")?;
        told("ec2:CreateRouteTable", answer.route_table().and_then(|table| table.route_table_id()))
    }

    async fn set_routed(&self, part: &Part) -> Result<(), Failure> {
        let routes = routes_of(part).ok_or_else(|| unclear("aws:up", "only subnets follow routes"))?;
        let (subnet, table) = (self.id(part)?, self.id(&routes)?);
        let filter =
            aws_sdk_ec2::types::Filter::builder().name("association.subnet-id").values(subnet).build();
        let answer = self.clients.ec2.describe_route_tables().filters(filter).send().await;
        let answer = answer.of("ec2:DescribeRouteTables")?;
        let mut associations = answer.route_tables().iter().flat_map(|table| table.associations());
        let other = associations.find(|one| one.subnet_id() == Some(subnet));
        if let Some(id) = other.and_then(|one| one.route_table_association_id()) {
            let call =
                self.clients.ec2.replace_route_table_association().association_id(id).route_table_id(table);
            return call.send().await.of("ec2:ReplaceRouteTableAssociation").map(drop);
        }
        let call = self.clients.ec2.associate_route_table().subnet_id(subnet).route_table_id(table);
        call.send().await.of("ec2:AssociateRouteTable").map(drop)
    }

    async fn set_way_out(&self, part: &Part) -> Result<(), Failure> {
        let table = self.id(part)?;
        let out = way_out(self.wish, self.found, part).ok_or_else(|| super::missing(part))?;
        if let Part::PrivateRoutes(_) = part {
            self.until_nat_works(out).await?;
        }
        let (gateway, nat) = if *part == Part::PublicRoutes { (Some(out), None) } else { (None, Some(out)) };
        let (gateway, nat) = (gateway.map(str::to_owned), nat.map(str::to_owned));
        let call = self.clients.ec2.create_route().route_table_id(table).destination_cidr_block(ELSEWHERE);
        let call = call.set_gateway_id(gateway.clone()).set_nat_gateway_id(nat.clone());
        match call.send().await.of("ec2:CreateRoute") {
            // Another one is there.
            Err(failure) if failure.kind == crate::failure::Kind::Conflict => {
                let call =
                    self.clients.ec2.replace_route().route_table_id(table).destination_cidr_block(ELSEWHERE);
                let call = call.set_gateway_id(gateway).set_nat_gateway_id(nat);
                call.send().await.of("ec2:ReplaceRoute").map(drop)
            }
            outcome => outcome.map(drop),
        }
    }

    async fn create_address(&self, part: &Part) -> Result<String, Failure> {
        let call = self.clients.ec2.allocate_address().domain(DomainType::Vpc);
        let call = call.tag_specifications(self.tagged(ResourceType::ElasticIp, part));
        let answer = call.send().await.of("ec2:AllocateAddress")?;
        told("ec2:AllocateAddress", answer.allocation_id())
    }

    async fn create_nat(&self, part: &Part, zone: &str) -> Result<String, Failure> {
        let address = self.id(&Part::Address(zone.to_owned()))?;
        let subnet = self.id(&Part::PublicSubnet(zone.to_owned()))?;
        let call = self.clients.ec2.create_nat_gateway().allocation_id(address).subnet_id(subnet);
        // With the same address it is the same gateway, however often this is asked.
        let call = call.client_token(format!("{address}-{subnet}"));
        let call = call.tag_specifications(self.tagged(ResourceType::Natgateway, part));
        let answer = call.send().await.of("ec2:CreateNatGateway")?;
        told("ec2:CreateNatGateway", answer.nat_gateway().and_then(|nat| nat.nat_gateway_id()))
    }

    async fn until_nat_works(&self, nat: &str) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + NAT_PATIENCE;
        loop {
            let answer = self.clients.ec2.describe_nat_gateways().nat_gateway_ids(nat).send().await;
            let state = match answer.of("ec2:DescribeNatGateways") {
                Ok(answer) => answer.nat_gateways().first().and_then(|nat| nat.state().cloned()),
                // It was made a moment ago.
                Err(failure) if failure.kind == crate::failure::Kind::Unknown => None,
                Err(failure) => return Err(failure),
            };
            match state {
                Some(NatGatewayState::Available) => return Ok(()),
                Some(NatGatewayState::Failed) => {
                    return Err(unclear("ec2:CreateNatGateway", "the NAT gateway could not be started"));
                }
                _ if tokio::time::Instant::now() > deadline => {
                    return Err(unclear("ec2:CreateNatGateway", "the NAT gateway does not start"));
                }
                _ => tokio::time::sleep(NAT_PAUSE).await,
            }
        }
    }

    async fn create_endpoint(&self) -> Result<String, Failure> {
        let part = Part::BucketEndpoint;
        let call = self.clients.ec2.create_vpc_endpoint().vpc_id(self.id(&Part::Vpc)?);
        let call = call.vpc_endpoint_type(VpcEndpointType::Gateway);
        let call = call.service_name(format!("com.amazonaws.{}.s3", self.clients.region));
        let call = call.set_route_table_ids(Some(route_tables(self.wish, self.found)));
        let call = call.tag_specifications(self.tagged(ResourceType::VpcEndpoint, &part));
        let answer = call.send().await.of("ec2:CreateVpcEndpoint")?;
        told("ec2:CreateVpcEndpoint", answer.vpc_endpoint().and_then(|endpoint| endpoint.vpc_endpoint_id()))
    }

    async fn set_listed(&self) -> Result<(), Failure> {
        let id = self.id(&Part::BucketEndpoint)?;
        let answer = self.clients.ec2.describe_vpc_endpoints().vpc_endpoint_ids(id).send().await;
        let answer = answer.of("ec2:DescribeVpcEndpoints")?;
        let listed = answer.vpc_endpoints().first().map(|one| one.route_table_ids()).unwrap_or_default();
        let mut wanted = route_tables(self.wish, self.found);
        wanted.retain(|table| !listed.contains(table));
        if wanted.is_empty() {
            return Ok(());
        }
        let call = self.clients.ec2.modify_vpc_endpoint().vpc_endpoint_id(id);
        call.set_add_route_table_ids(Some(wanted)).send().await.of("ec2:ModifyVpcEndpoint").map(drop)
    }
}
