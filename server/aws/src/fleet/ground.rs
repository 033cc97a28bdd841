//! Where hosts are started, and from what: found by the tags of the set-up, each time anew, so that a template with a newer
//! image counts as soon as there is one.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, InstanceType, LaunchTemplateVersion, NatGateway, NatGatewayState, Subnet};
use cloud::Site;
use model::cost::Control;
use model::instances::{InstanceType as Offered, Room};
use tracing::warn;

use super::control::paid_control;
use super::ec2::said;
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{ClusterName, Part, ours, part_of};

/// The ground that instances stand on.
pub(super) struct Ground {
    account: String,
    region: String,
    /// The launch template's id.
    pub(super) template: String,
    versions: Vec<Version>,
    /// The subnet of each zone.
    pub(super) subnets: BTreeMap<String, String>,
    usual: Offered,
    image: String,
    /// The set-up's NAT gateways; nothing if AWS did not say.
    nats: Option<u32>,
    /// Whether the subnets give out public addresses.
    public_addresses: bool,
    disk_gb: Option<u32>,
    /// What the control plane runs on; nothing if AWS did not say.
    control: Option<Control>,
}

/// A version of the launch template.
struct Version {
    number: i64,
    is_default: bool,
    image: String,
    instance_type: String,
    disk_gb: Option<u32>,
}

impl Ground {
    /// Finds it.
    ///
    /// # Errors
    /// AWS does not answer, or there is no set-up of this name.
    pub(super) async fn find(
        clients: &Clients,
        name: &ClusterName,
        subnets: &[String],
    ) -> Result<Self, Failure> {
        let account = clients.account().await?;
        let template = template(clients, name).await?;
        let versions = versions(clients, &template).await?;
        let Some(present) = versions.iter().find(|version| version.is_default) else {
            return Err(lacking("ec2:DescribeLaunchTemplateVersions", "its launch template has no version"));
        };
        let usual = offered(clients, &present.instance_type).await?;
        let (image, disk_gb) = (present.image.clone(), present.disk_gb);
        let all = described(clients, name, subnets).await?;
        let subnets = zones(all.clone(), subnets.is_empty());
        if subnets.is_empty() {
            return Err(lacking(
                "ec2:DescribeSubnets",
                "no subnet for hosts is found; those of an adopted network are named with --aws-subnets",
            ));
        }
        let public_addresses = give_addresses(&all, &subnets);
        // No host waits for what is only counted.
        let nats = nats(clients, name).await;
        let nats =
            nats.inspect_err(|failure| warn!("NAT gateways cannot be counted: {}", said(failure))).ok();
        let control = paid_control(clients, name).await;
        let control = control
            .inspect_err(|failure| warn!("the control plane cannot be counted: {}", said(failure)))
            .ok();
        let region = clients.region.clone();
        Ok(Self {
            account,
            region,
            template,
            versions,
            subnets,
            usual,
            image,
            nats,
            public_addresses,
            disk_gb,
            control,
        })
    }

    /// Returns what the platform needs to know of it.
    pub(super) fn site(&self) -> Site {
        Site {
            account: self.account.clone(),
            region: self.region.clone(),
            zones: self.subnets.keys().cloned().collect(),
            image: self.image.clone(),
            usual: self.usual.clone(),
            nats: self.nats,
            public_addresses: self.public_addresses,
            disk_gb: self.disk_gb,
            control: self.control.clone(),
        }
    }

    /// Returns the version of the template that has an image: the one that counts, or else the newest. An order is made again with
    /// the image that it was first made with, although another counts by then.
    pub(super) fn version_with(&self, image: &str) -> Option<i64> {
        let with = self.versions.iter().filter(|version| version.image == image);
        with.max_by_key(|version| (version.is_default, version.number)).map(|version| version.number)
    }
}

async fn template(clients: &Clients, name: &ClusterName) -> Result<String, Failure> {
    let call = clients.ec2.describe_launch_templates().filters(ours(name));
    let all: Vec<_> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeLaunchTemplates")?;
    let templates = all.iter().filter(|template| part_of(template.tags()) == Some(Part::Template));
    // Two would have the same name, which AWS does not allow.
    let id = templates.filter_map(|template| template.launch_template_id()).min();
    id.map(str::to_owned).ok_or_else(|| {
        let sentence = format!("there is no set-up {name} here; `paasctl aws:up --name {name}` makes one");
        lacking("ec2:DescribeLaunchTemplates", &sentence)
    })
}

async fn versions(clients: &Clients, template: &str) -> Result<Vec<Version>, Failure> {
    let call = clients.ec2.describe_launch_template_versions().launch_template_id(template);
    let all: Vec<_> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeLaunchTemplateVersions")?;
    Ok(all.iter().filter_map(version).collect())
}

fn version(version: &LaunchTemplateVersion) -> Option<Version> {
    let data = version.launch_template_data()?;
    let disk = data.block_device_mappings().first().and_then(|mapping| mapping.ebs());
    Some(Version {
        number: version.version_number()?,
        is_default: version.default_version().unwrap_or_default(),
        image: data.image_id()?.to_owned(),
        instance_type: data.instance_type()?.as_str().to_owned(),
        disk_gb: disk.and_then(|disk| disk.volume_size()).and_then(|size| size.try_into().ok()),
    })
}

/// Returns what a host of a type offers to replicas: a tenth of the memory is the system's, as on any host, and some of it the
/// machine never shows.
async fn offered(clients: &Clients, name: &str) -> Result<Offered, Failure> {
    let call = clients.ec2.describe_instance_types().instance_types(InstanceType::from(name));
    let all: Vec<_> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstanceTypes")?;
    let known = all.first().and_then(|known| {
        let memory = known.memory_info()?.size_in_mib()?;
        Some((u64::try_from(memory).ok()?, u64::try_from(known.v_cpu_info()?.default_v_cpus()?).ok()?))
    });
    let Some((memory, cores)) = known else {
        let sentence = format!("nothing is told of the instance type {name}");
        return Err(lacking("ec2:DescribeInstanceTypes", &sentence));
    };
    let offers = Room { memory_mb: memory * 85 / 100, cpu_millicores: cores * 1_000 };
    Ok(Offered { name: name.to_owned(), offers })
}

async fn described(clients: &Clients, name: &ClusterName, ids: &[String]) -> Result<Vec<Subnet>, Failure> {
    let named = || Filter::builder().name("subnet-id").set_values(Some(ids.to_vec())).build();
    let filter = if ids.is_empty() { ours(name) } else { named() };
    let call = clients.ec2.describe_subnets().filters(filter);
    call.into_paginator().items().send().try_collect().await.of("ec2:DescribeSubnets")
}

/// Returns the subnet for hosts of each zone. Of the set-up's own, these are the public ones where they give out addresses: that
/// is how it was made for hosts with addresses of their own. Of several in a zone it is always the same one.
fn zones(mut subnets: Vec<Subnet>, are_ours: bool) -> BTreeMap<String, String> {
    if are_ours {
        let is_public = |subnet: &Subnet| matches!(part_of(subnet.tags()), Some(Part::PublicSubnet(_)));
        let gives = |subnet: &Subnet| subnet.map_public_ip_on_launch() == Some(true);
        let public = subnets.iter().any(|subnet| is_public(subnet) && gives(subnet));
        subnets.retain(|subnet| match part_of(subnet.tags()) {
            Some(Part::PublicSubnet(_)) => public,
            Some(Part::PrivateSubnet(_)) => !public,
            _ => false,
        });
    }
    let mut zones = BTreeMap::<String, String>::new();
    for subnet in &subnets {
        let (Some(zone), Some(id)) = (subnet.availability_zone(), subnet.subnet_id()) else { continue };
        let chosen = zones.entry(zone.to_owned()).or_insert_with(|| id.to_owned());
        if id < chosen.as_str() {
            id.clone_into(chosen);
        }
    }
    zones
}

/// Tells whether hosts in these of all subnets have public addresses.
fn give_addresses(all: &[Subnet], zones: &BTreeMap<String, String>) -> bool {
    let is_chosen = |subnet: &&Subnet| zones.values().any(|id| subnet.subnet_id() == Some(id.as_str()));
    all.iter().filter(is_chosen).any(|subnet| subnet.map_public_ip_on_launch() == Some(true))
}

async fn nats(clients: &Clients, name: &ClusterName) -> Result<u32, Failure> {
    let call = clients.ec2.describe_nat_gateways().filter(ours(name));
    let all: Vec<_> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeNatGateways")?;
    Ok(paid_for(&all))
}

/// Returns how many NAT gateways are of the set-up and there. A deleted one is listed for an hour.
fn paid_for(nats: &[NatGateway]) -> u32 {
    let is_there = |nat: &&NatGateway| {
        matches!(nat.state(), Some(NatGatewayState::Available | NatGatewayState::Pending))
    };
    let there = nats.iter().filter(is_there);
    let ours = there.filter(|nat| matches!(part_of(nat.tags()), Some(Part::Nat(_)))).count();
    u32::try_from(ours).unwrap_or(u32::MAX)
}

fn lacking(action: &'static str, sentence: &str) -> Failure {
    Failure { kind: Kind::Refused, action, code: "not found".into(), message: sentence.to_owned() }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;
    use crate::setup::PART_TAG;

    fn subnet(id: &str, zone: &str, part: Option<&str>, gives: bool) -> Subnet {
        let tags =
            part.map(|part| vec![Tag::builder().key(PART_TAG).value(format!("{part}.{zone}")).build()]);
        let subnet = Subnet::builder().subnet_id(id).availability_zone(zone).map_public_ip_on_launch(gives);
        subnet.set_tags(tags).build()
    }

    fn chosen(subnets: Vec<Subnet>, are_ours: bool) -> Vec<(String, String)> {
        zones(subnets, are_ours).into_iter().collect()
    }

    #[test]
    fn hosts_go_where_the_set_up_was_made_for_them() {
        let both = |gives| {
            let public = subnet("subnet-1", "a", Some("public-subnet"), gives);
            vec![public, subnet("subnet-2", "a", Some("private-subnet"), false)]
        };
        assert_eq!(chosen(both(true), true), [("a".to_owned(), "subnet-1".to_owned())]);
        assert_eq!(chosen(both(false), true), [("a".to_owned(), "subnet-2".to_owned())]);
        let addresses = |gives| give_addresses(&both(gives), &zones(both(gives), true));
        assert_eq!((addresses(true), addresses(false)), (true, false));
    }

    #[test]
    fn nat_gateways_count_that_are_the_set_ups_and_there() {
        let nat = |state, part: &str| {
            let tag = Tag::builder().key(PART_TAG).value(part).build();
            NatGateway::builder().state(state).tags(tag).build()
        };
        let all = [
            nat(NatGatewayState::Available, "nat-gateway.us-east-1a"),
            nat(NatGatewayState::Pending, "nat-gateway.us-east-1b"),
            nat(NatGatewayState::Deleted, "nat-gateway.us-east-1a"),
            nat(NatGatewayState::Available, "somebodys"),
        ];
        assert_eq!(paid_for(&all), 2);
    }

    #[test]
    fn of_several_adopted_ones_in_a_zone_it_is_always_the_same() {
        let some = [("subnet-9", "b"), ("subnet-3", "a"), ("subnet-2", "b")];
        let mut subnets: Vec<_> = some.map(|(id, zone)| subnet(id, zone, None, false)).into();
        let expected = [("a".to_owned(), "subnet-3".to_owned()), ("b".to_owned(), "subnet-2".to_owned())];
        assert_eq!(chosen(subnets.clone(), false), expected);
        subnets.reverse();
        assert_eq!(chosen(subnets, false), expected);
    }

    #[test]
    fn an_order_is_made_again_with_the_image_that_it_was_made_with() {
        let version = |number, is_default, image: &str| Version {
            number,
            is_default,
            image: image.to_owned(),
            instance_type: "t3.medium".to_owned(),
            disk_gb: None,
        };
        let ground = Ground {
            account: String::new(),
            region: String::new(),
            template: "lt-1".to_owned(),
            versions: vec![version(1, false, "ami-1"), version(3, false, "ami-2"), version(2, true, "ami-2")],
            subnets: BTreeMap::new(),
            usual: Offered { name: String::new(), offers: Room::default() },
            image: "ami-2".to_owned(),
            nats: None,
            public_addresses: true,
            control: None,
            disk_gb: None,
        };
        assert_eq!(
            ["ami-1", "ami-2", "ami-3"].map(|image| ground.version_with(image)),
            [Some(1), Some(2), None]
        );
    }
}
