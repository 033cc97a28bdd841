//! Where the control plane's machine is, and what it is started from: what of a platform's set-up it needs.

use super::ControlError;
use crate::clients::Clients;
use crate::failure::Kind;
use crate::setup::{Found, Part, Patience, Who, Wish, bear, default_version, look, newest_image, way_out};

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
    /// The name of its disk.
    pub(super) root: String,
    /// Its security group.
    pub(super) group: String,
    /// Its instance profile.
    pub(super) profile: String,
}

/// What is asked for where the set-up does not say it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The image; otherwise the baked one that hosts start from.
    pub image: Option<String>,
    /// Where it is started; otherwise where machines can call out.
    pub subnet: Option<String>,
    /// What it is; otherwise what hosts are.
    pub instance_type: Option<String>,
}

impl Ground {
    /// Finds it.
    ///
    /// # Errors
    /// There is no complete set-up, no image with the platform in it, or AWS does not answer.
    pub async fn find(clients: &Clients, wish: &Wish, asked: Asked) -> Result<Self, ControlError> {
        let patience = Patience::default();
        let found = look(clients, wish, patience).await?;
        let id = |part: &Part| {
            let missing = || ControlError::NoSetup { name: wish.name.clone(), part: part.words() };
            found.id(part).map(str::to_owned).ok_or_else(missing)
        };
        let (template, bucket) = (id(&Part::Template)?, id(&Part::Bucket)?);
        let (group, profile) = (id(&Part::Group(Who::Control))?, id(&Part::Profile(Who::Control))?);
        let reading = Kind::is_passing;
        let started = bear(patience, reading, async || default_version(clients, &template).await).await?;
        let usual = started.as_ref().and_then(|data| data.image_id()).map(str::to_owned);
        let is_named = asked.image.is_some();
        let image = asked.image.or(usual).ok_or(ControlError::NotBaked)?;
        let image = bear(patience, reading, async || newest_image(clients, Some(&image)).await).await?;
        if !is_named && !image.tags().iter().any(|tag| tag.key() == Some(crate::bake::BAKE_TAG)) {
            return Err(ControlError::NotBaked);
        }
        let (subnet, has_address) = place(&found, asked.subnet)?;
        let usual = started.as_ref().and_then(|data| data.instance_type());
        let usual = usual.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        Ok(Self {
            bucket,
            address: found.address.clone(),
            has_tls: found.all().any(|(part, _)| matches!(part, Part::Listener(.., 443))),
            account: found.account.clone(),
            instance_type: asked.instance_type.unwrap_or(usual),
            image: image.image_id().unwrap_or_default().to_owned(),
            has_address,
            subnet,
            root: image.root_device_name().unwrap_or(ROOT).to_owned(),
            group,
            profile,
        })
    }
}

/// Returns the subnet, and whether machines in it have public addresses; of a subnet that was named nothing is known, and an
/// address is counted, so that what is shown is not too little.
fn place(found: &Found, asked: Option<String>) -> Result<(String, bool), ControlError> {
    if let Some(subnet) = asked {
        return Ok((subnet, true));
    }
    let behind_nat = found.all().any(|(part, _)| matches!(part, Part::Nat(_)));
    way_out(found).map(|subnet| (subnet, !behind_nat)).ok_or(ControlError::NoSubnet)
}
