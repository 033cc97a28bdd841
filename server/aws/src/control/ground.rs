//! Where the control plane's machine is, and what it is started from: what of a platform's set-up it needs.

use std::net::Ipv4Addr;

use super::ControlError;
use crate::call::Of as _;
use crate::clients::Clients;
use crate::dns::ZoneId;
use crate::failure::{Failure, Kind};
use crate::setup::{Asked, Footing, NoFooting, Part, Patience, Who, Wish, bear, newest_image};

/// Where a disk is when its image does not say.
const ROOT: &str = "/dev/xvda";

/// What the machine needs of the platform.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The bucket.
    pub bucket: String,
    /// The load balancer's name in DNS.
    pub address: String,
    /// Whether the load balancer speaks TLS.
    pub has_tls: bool,
    /// The hosted zone in which the control plane keeps names.
    pub dns_zone: Option<ZoneId>,
    /// The account.
    pub account: String,
    /// What the machine is.
    pub instance_type: String,
    /// The image that it is started from.
    pub image: String,
    /// Whether machines there get a public address.
    pub has_address: bool,
    /// Where it is started.
    pub subnet: String,
    /// Its address there, if that is known.
    pub private_address: Option<Ipv4Addr>,
    /// The name of its disk.
    pub(super) root: String,
    /// Its security group.
    pub(super) group: String,
    /// Its instance profile.
    pub(super) profile: String,
}

impl Ground {
    /// Finds it. The image is the baked one that hosts start from, unless another is asked for.
    ///
    /// # Errors
    /// There is no complete set-up, no image with the platform in it, or AWS does not answer.
    pub async fn find(clients: &Clients, wish: &Wish, asked: Asked) -> Result<Self, ControlError> {
        let footing = Footing::find(clients, wish).await?;
        let group = footing.id(&Part::Group(Who::Control))?;
        let profile = footing.id(&Part::Profile(Who::Control))?;
        let usual = footing.host.as_ref().and_then(|data| data.image_id()).map(str::to_owned);
        let is_named = asked.image.is_some();
        let image = asked.image.or(usual).ok_or(ControlError::NotBaked)?;
        let read = async || newest_image(clients, Some(&image)).await;
        let image = bear(Patience::default(), Kind::is_passing, read).await?;
        if !is_named && !image.tags().iter().any(|tag| tag.key() == Some(crate::bake::BAKE_TAG)) {
            return Err(ControlError::NotBaked);
        }
        let (subnet, has_address) = place(&footing, asked.subnet)?;
        let instance_type = asked.instance_type.unwrap_or_else(|| footing.instance_type());
        let Footing { bucket, found, .. } = footing;
        Ok(Self {
            bucket,
            has_tls: found.all().any(|(part, _)| matches!(part, Part::Listener(.., 443)))
                || found.adopted.listeners.contains_key(&443),
            address: found.address,
            dns_zone: found.dns_zone,
            account: found.account,
            instance_type,
            image: image.image_id().unwrap_or_default().to_owned(),
            has_address,
            private_address: address_in(clients, &subnet).await?,
            subnet,
            root: image.root_device_name().unwrap_or(ROOT).to_owned(),
            group,
            profile,
        })
    }
}

/// Returns the address that the machine has in a subnet.
async fn address_in(clients: &Clients, subnet: &str) -> Result<Option<Ipv4Addr>, Failure> {
    let read =
        async || clients.ec2.describe_subnets().subnet_ids(subnet).send().await.of("ec2:DescribeSubnets");
    let answer = bear(Patience::default(), Kind::is_passing, read).await?;
    Ok(answer.subnets().first().and_then(|subnet| super::address::in_network(subnet.cidr_block()?)))
}

/// Returns the subnet, and whether machines in it have public addresses; of a subnet that was named nothing is known, and an
/// address is counted, so that what is shown is not too little.
fn place(footing: &Footing, asked: Option<String>) -> Result<(String, bool), NoFooting> {
    if let Some(subnet) = asked {
        return Ok((subnet, true));
    }
    let behind_nat = footing.found.all().any(|(part, _)| matches!(part, Part::Nat(_)));
    Ok((footing.subnet("the control plane")?, !behind_nat))
}
