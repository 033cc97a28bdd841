//! The options that say what set-up is meant. They are the same for all commands, and the same ones are given each time.

use std::path::PathBuf;

use aws::dns::ZoneId;
use aws::setup::{ClusterName, Egress, Entrance, Network, Wish, first_zones};
use aws::{Clients, Place};
use clap::ValueEnum;
use model::cost::Prices;

use super::failed;
use crate::error::{Error, Result};

/// Which platform, where.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WhereOptions {
    /// The platform's name on AWS; all that is made carries it as a tag
    #[arg(long, value_name = "NAME", default_value = "paas")]
    pub(super) name: ClusterName,

    /// The region; otherwise `AWS_REGION`, or that of the profile
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The profile of the AWS configuration; otherwise `AWS_PROFILE`
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
}

/// What set-up is meant.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SetupOptions {
    #[command(flatten)]
    pub(super) place: WhereOptions,

    /// Zones, two at least; otherwise the region's first three
    #[arg(long, value_name = "ZONE,…", value_delimiter = ',')]
    zones: Vec<String>,

    /// The certificate of port 443, from ACM; without one there is only port 80
    #[arg(long, value_name = "ARN", conflicts_with = "balancer")]
    certificate: Option<String>,

    /// How hosts call out
    #[arg(long, value_enum, default_value = "public-addresses")]
    egress: EgressOption,

    /// The first two bytes of the network's addresses
    #[arg(long, value_name = "A.B", default_value = "10.20", value_parser = prefix)]
    network: [u8; 2],

    /// What hosts are
    #[arg(long, value_name = "TYPE", default_value = "t3.medium")]
    instance_type: String,

    /// How large a host's disk is, in gigabytes
    #[arg(long, value_name = "GB", default_value_t = 40, value_parser = clap::value_parser!(u16).range(8..=16_000))]
    disk: u16,

    /// The image of hosts; otherwise that of the launch template, at first the newest Debian 12
    #[arg(long, value_name = "AMI")]
    image: Option<String>,

    /// Use this network in place of one of our own
    #[arg(long, value_name = "VPC", requires = "host_subnets")]
    vpc: Option<String>,

    /// Its subnets for the load balancer
    #[arg(long, value_name = "SUBNET,…", value_delimiter = ',', requires = "vpc")]
    public_subnets: Vec<String>,

    /// Its subnets for hosts
    #[arg(long, value_name = "SUBNET,…", value_delimiter = ',', requires = "vpc")]
    host_subnets: Vec<String>,

    /// How many load balancers there are, each for up to 100 apps; otherwise as many as before, at first one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=20), conflicts_with = "balancer")]
    balancers: Option<u8>,

    /// The Route 53 hosted zone, by id, in which the control plane keeps the names of apps; otherwise the one of before, at first
    /// none, and you set the records
    #[arg(long, value_name = "ZONE")]
    dns_zone: Option<ZoneId>,

    /// Use this load balancer in place of one of our own
    #[arg(long, value_name = "ARN", requires = "vpc")]
    balancer: Option<String>,

    #[command(flatten)]
    prices: PricesOption,
}

/// What prices are counted with.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PricesOption {
    /// A table of prices in place of the built-in one
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

/// How hosts call out.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EgressOption {
    /// Each has a public address and lets nothing in
    PublicAddresses,
    /// Through one NAT gateway
    OneNat,
    /// Through a NAT gateway in each zone
    NatPerZone,
}

impl WhereOptions {
    /// Returns the clients.
    pub(super) async fn clients(&self) -> Result<Clients> {
        let place = Place { region: self.region.clone(), profile: self.profile.clone(), simulation: None };
        Clients::of(&place).await.map_err(|failure| failed(&failure))
    }

    /// Returns a wish for everything of this name, for those who want it gone.
    pub(super) fn any(&self) -> Wish {
        Wish {
            name: self.name.clone(),
            zones: Vec::new(),
            network: Network::Own { prefix: [10, 20] },
            egress: Egress::default(),
            entrance: Entrance::Own { certificate: None },
            balancers: None,
            dns_zone: None,
            instance_type: String::new(),
            disk: 0,
            image: None,
        }
    }
}

impl SetupOptions {
    /// Returns what is wanted.
    pub(super) async fn wish(&self, clients: &Clients) -> Result<Wish> {
        let zones = if self.zones.is_empty() && self.vpc.is_none() {
            first_zones(clients).await.map_err(|failure| failed(&failure))?
        } else {
            let mut zones = self.zones.clone();
            zones.sort();
            zones
        };
        let wish = Wish {
            name: self.place.name.clone(),
            zones,
            network: self.network(),
            egress: self.egress.into(),
            entrance: self.entrance(),
            balancers: self.balancers,
            dns_zone: self.dns_zone.clone(),
            instance_type: self.instance_type.clone(),
            disk: self.disk,
            image: self.image.clone(),
        };
        wish.check().map_err(|error| Error::usage(error.to_string()))?;
        Ok(wish)
    }

    fn network(&self) -> Network {
        match &self.vpc {
            None => Network::Own { prefix: self.network },
            Some(vpc) => Network::Adopted {
                vpc: vpc.clone(),
                public_subnets: self.public_subnets.clone(),
                host_subnets: self.host_subnets.clone(),
            },
        }
    }

    fn entrance(&self) -> Entrance {
        match &self.balancer {
            None => Entrance::Own { certificate: self.certificate.clone() },
            Some(arn) => Entrance::Adopted { balancer: arn.clone() },
        }
    }

    /// Returns the table of prices.
    pub(super) fn prices(&self) -> Result<Prices> {
        self.prices.read()
    }
}

impl PricesOption {
    /// Returns the table of prices.
    pub(super) fn read(&self) -> Result<Prices> {
        let Some(path) = &self.prices else { return Ok(Prices::built_in()) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::failed(format!("{} cannot be read: {error}", path.display())))?;
        Prices::read(&text).map_err(|error| Error::failed(format!("{}: {error}", path.display())))
    }
}

impl From<EgressOption> for Egress {
    fn from(option: EgressOption) -> Self {
        match option {
            EgressOption::PublicAddresses => Self::PublicAddresses,
            EgressOption::OneNat => Self::OneNat,
            EgressOption::NatPerZone => Self::NatPerZone,
        }
    }
}

fn prefix(text: &str) -> Result<[u8; 2], String> {
    let wrong = || format!("`{text}` is not two numbers of a private network, such as 10.20");
    let (first, second) = text.split_once('.').ok_or_else(wrong)?;
    let (first, second): (u8, u8) =
        (first.parse().map_err(|_| wrong())?, second.parse().map_err(|_| wrong())?);
    let private =
        first == 10 || (first == 172 && (16..32).contains(&second)) || (first, second) == (192, 168);
    if private { Ok([first, second]) } else { Err(wrong()) }
}
