//! What set-up is wanted, as the person who runs `aws:up` says it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{ClusterName, Found, Part, Who};
use crate::dns::ZoneId;

/// How hosts call out: to the control plane, to buckets, to what apps need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// Each host has a public address, and lets nothing in. Paid per host; a NAT gateway costs as much as ten of them.
    #[default]
    PublicAddresses,
    /// Hosts have private addresses only, and call out through one NAT gateway, in the first zone. It is gone with
    /// its zone.
    OneNat,
    /// As above, with one NAT gateway in each zone.
    NatPerZone,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// One is made, with these first two bytes, such as 10.20.
    Own {
        /// The first two bytes of each address.
        prefix: [u8; 2],
    },
    /// One that exists is used as it is.
    Adopted {
        /// Its id.
        vpc: String,
        /// Where the load balancer goes.
        public_subnets: Vec<String>,
        /// Where hosts go.
        host_subnets: Vec<String>,
    },
}

/// The load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// One is made.
    Own {
        /// The certificate of port 443, by ARN. Without one there is only port 80.
        certificate: Option<String>,
    },
    /// One that exists, with its ports, is used; apps get rules of their own on it.
    Adopted {
        /// Its ARN.
        balancer: String,
    },
}

/// What set-up is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The platform's name.
    pub name: ClusterName,
    /// Zones, two at least; sorted.
    pub zones: Vec<String>,
    /// The network.
    pub network: Network,
    /// How hosts call out.
    pub egress: Egress,
    /// The load balancer.
    pub entrance: Entrance,
    /// How many of them there are if they are our own; otherwise as many as there were, and one at first.
    pub balancers: Option<u8>,
    /// The hosted zone in which the control plane keeps names; otherwise the one that there was, if there was one.
    pub dns_zone: Option<ZoneId>,
    /// What hosts are, unless a launch says otherwise.
    pub instance_type: String,
    /// How large a host's disk is, in gigabytes.
    pub disk: u16,
    /// The image of hosts; otherwise that of the template, and for a new one the newest Debian 12.
    pub image: Option<String>,
}

/// Something about a part that can be set, and seen to be as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// The tags that say whose it is.
    Tags,
    /// Machines in the network have names.
    HostNames,
    /// The gateway belongs to the network.
    Attached,
    /// Machines in the subnet get public addresses, or get none.
    Addresses,
    /// The subnet follows its routes.
    Routed,
    /// What is not for the network leaves it.
    WayOut,
    /// The routes know the way to buckets.
    ListedInRoutes,
    /// The group lets in what it should, and nothing else.
    Rules,
    /// The role may do what its policy says, and nothing else.
    Policy,
    /// The profile gives its role.
    Role,
    /// New hosts are started as wanted.
    Content,
    /// The control plane knows in which hosted zone it keeps names.
    DnsZone,
    /// Nobody else can be let in.
    Private,
    /// What is stored is encrypted.
    Encrypted,
    /// What is overwritten or removed can be had back.
    Versioned,
    /// It is only spoken to over TLS.
    TlsOnly,
    /// What was overwritten or removed long ago, or never came whole, is not kept, and not paid for.
    Tidied,
    /// The load balancer is in all zones.
    Subnets,
    /// Headers that could be read in two ways are dropped.
    StrictHeaders,
    /// What is for no app gets an answer of its own, and plain HTTP is sent to HTTPS.
    Answer,
}

/// Why a wish makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// One zone, or the same twice.
    #[error("a load balancer needs at least two zones, and here is only {0}")]
    Zones(String),
    /// A zone that has no letter of its own.
    #[error("the zone {0} has no letter from a to h at its end, from which its addresses would follow")]
    ZoneLetter(String),
    /// A network that exists, with a NAT gateway to be made in it.
    #[error("the routes of an adopted network are its owner's, so no NAT gateway is made in it")]
    NatInAdopted,
    /// Too few subnets of a network that exists.
    #[error("an adopted network needs at least two public subnets for the load balancer and one for hosts")]
    Subnets,
}

impl Wish {
    /// Tells what is wrong with it.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn check(&self) -> Result<(), WishError> {
        match &self.network {
            Network::Own { .. } => {
                let different: BTreeSet<&String> = self.zones.iter().collect();
                if different.len() < 2 {
                    return Err(WishError::Zones(self.zones.join(", ")));
                }
                let odd = self.zones.iter().find(|zone| zone_number(zone).is_none());
                odd.map_or(Ok(()), |zone| Err(WishError::ZoneLetter(zone.clone())))
            }
            Network::Adopted { public_subnets, host_subnets, .. } => {
                let needs_public = matches!(self.entrance, Entrance::Own { .. });
                if host_subnets.is_empty() || (needs_public && public_subnets.len() < 2) {
                    return Err(WishError::Subnets);
                }
                if self.egress == Egress::PublicAddresses { Ok(()) } else { Err(WishError::NatInAdopted) }
            }
        }
    }

    /// Returns all parts, each after those that it needs.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Bucket];
        if let Network::Own { .. } = self.network {
            parts.extend(self.network_parts());
        }
        let own = matches!(self.entrance, Entrance::Own { .. });
        parts.extend(own.then_some(Part::Group(Who::Entrance)));
        parts.extend([Who::Host, Who::Control].map(Part::Group));
        parts.extend([Who::Host, Who::Control].map(Part::Role));
        parts.extend([Who::Host, Who::Control].map(Part::Profile));
        parts.push(Part::Template);
        if let Entrance::Own { certificate } = &self.entrance {
            for number in 1..=self.balancers.unwrap_or(1) {
                parts.extend([Part::Balancer(number), Part::Listener(number, 80)]);
                parts.extend(certificate.as_ref().map(|_| Part::Listener(number, 443)));
            }
        }
        parts
    }

    /// Returns the same with as many load balancers as there are, if nobody said how many.
    #[must_use]
    pub fn as_found(&self, found: &Found) -> Self {
        Self {
            balancers: self.balancers.or_else(|| Some(found.balancers().max().unwrap_or(1))),
            ..self.clone()
        }
    }

    fn network_parts(&self) -> Vec<Part> {
        let each = |part: fn(String) -> Part| self.zones.iter().cloned().map(part);
        let mut parts = vec![Part::Vpc, Part::Gateway, Part::PublicRoutes];
        parts.extend(each(Part::PublicSubnet));
        for zone in self.nat_zones() {
            parts.extend([Part::Address(zone.clone()), Part::Nat(zone.clone())]);
        }
        parts.extend(each(Part::PrivateRoutes));
        parts.extend(each(Part::PrivateSubnet));
        parts.push(Part::BucketEndpoint);
        parts
    }

    /// Returns the zones that have a NAT gateway.
    #[must_use]
    pub fn nat_zones(&self) -> &[String] {
        match self.egress {
            Egress::PublicAddresses => &[],
            Egress::OneNat => self.zones.get(..1).unwrap_or_default(),
            Egress::NatPerZone => &self.zones,
        }
    }

    /// Returns the zone whose NAT gateway a private subnet uses.
    #[must_use]
    pub fn nat_of(&self, zone: &str) -> Option<&str> {
        let zones = self.nat_zones();
        zones.iter().find(|nat| *nat == zone).or(zones.first()).map(String::as_str)
    }

    /// Returns what is set of a part.
    #[must_use]
    pub fn settings(&self, part: &Part) -> Vec<Setting> {
        match part {
            Part::Bucket => {
                vec![
                    Setting::Tags,
                    Setting::Private,
                    Setting::Encrypted,
                    Setting::Versioned,
                    Setting::TlsOnly,
                    Setting::Tidied,
                ]
            }
            Part::Vpc => vec![Setting::HostNames],
            Part::Gateway => vec![Setting::Attached],
            Part::PublicSubnet(_) => vec![Setting::Addresses, Setting::Routed],
            Part::PrivateSubnet(_) => vec![Setting::Routed],
            Part::PublicRoutes => vec![Setting::WayOut],
            Part::PrivateRoutes(zone) if self.nat_of(zone).is_some() => vec![Setting::WayOut],
            Part::BucketEndpoint => vec![Setting::ListedInRoutes],
            Part::Group(_) => vec![Setting::Rules],
            Part::Role(_) => vec![Setting::Policy],
            Part::Profile(_) => vec![Setting::Role],
            Part::Template if self.dns_zone.is_some() => vec![Setting::Content, Setting::DnsZone],
            Part::Template => vec![Setting::Content],
            Part::Balancer(_) => vec![Setting::Subnets, Setting::StrictHeaders],
            Part::Listener(..) => vec![Setting::Answer],
            Part::PrivateRoutes(_) | Part::Address(_) | Part::Nat(_) => vec![],
        }
    }

    /// Returns the addresses of the whole network.
    #[must_use]
    pub fn addresses(prefix: [u8; 2]) -> String {
        format!("{}.{}.0.0/16", prefix[0], prefix[1])
    }

    /// Returns the addresses of a zone's subnet, 4091 of them. They follow from the zone's letter, so that they stay the same
    /// when zones are added.
    #[must_use]
    pub fn subnet_addresses(prefix: [u8; 2], zone: &str, public: bool) -> Option<String> {
        let block = zone_number(zone)? * 16 + if public { 0 } else { 128 };
        Some(format!("{}.{}.{block}.0/20", prefix[0], prefix[1]))
    }
}

/// Returns 0 for a zone that ends in `a`, 7 for one that ends in `h`.
fn zone_number(zone: &str) -> Option<u8> {
    let letter = *zone.as_bytes().last()?;
    letter.checked_sub(b'a').filter(|number| *number < 8)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn wish() -> Wish {
        Wish {
            name: "prod".parse().unwrap(),
            zones: ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).to_vec(),
            network: Network::Own { prefix: [10, 20] },
            egress: Egress::PublicAddresses,
            entrance: Entrance::Own { certificate: None },
            balancers: None,
            dns_zone: None,
            instance_type: "t3.medium".into(),
            disk: 40,
            image: None,
        }
    }

    #[test]
    fn one_zone_is_refused() {
        let mut wish = wish();
        assert_eq!(wish.check(), Ok(()));
        wish.zones.truncate(1);
        assert_eq!(wish.check(), Err(WishError::Zones("us-east-1a".into())));
    }

    #[test]
    fn subnets_do_not_overlap() {
        let zones = ('a'..='h').map(|letter| format!("us-east-1{letter}"));
        let all: Vec<_> = zones
            .flat_map(|zone| [true, false].map(|public| Wish::subnet_addresses([10, 20], &zone, public)))
            .collect();
        let different: BTreeSet<_> = all.iter().flatten().collect();
        assert_eq!(different.len(), 16);
        assert_eq!(Wish::subnet_addresses([10, 20], "us-east-1b", false).unwrap(), "10.20.144.0/20");
        assert_eq!(Wish::subnet_addresses([10, 20], "us-east-1z", false), None);
    }

    #[test]
    fn without_nat_no_part_costs_by_the_hour_but_the_load_balancer() {
        let paid = |wish: &Wish| {
            wish.parts().iter().filter(|part| matches!(part, Part::Nat(_) | Part::Address(_))).count()
        };
        assert_eq!(paid(&wish()), 0);
        assert_eq!(paid(&Wish { egress: Egress::OneNat, ..wish() }), 2);
        assert_eq!(paid(&Wish { egress: Egress::NatPerZone, ..wish() }), 6);
    }

    #[test]
    fn in_an_adopted_network_nothing_of_the_network_is_made() {
        let network = Network::Adopted {
            vpc: "vpc-1".into(),
            public_subnets: vec!["subnet-1".into(), "subnet-2".into()],
            host_subnets: vec!["subnet-3".into()],
        };
        let wish = Wish { network, ..wish() };
        assert_eq!(wish.check(), Ok(()));
        assert!(!wish.parts().contains(&Part::Vpc) && !wish.parts().contains(&Part::BucketEndpoint));
        assert_eq!(Wish { egress: Egress::OneNat, ..wish }.check(), Err(WishError::NatInAdopted));
    }
}
