//! The parts of a set-up. Each is one resource at AWS, and carries its name here as a tag.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Whose role or security group something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The load balancer.
    Entrance,
    /// The machines that run apps.
    Host,
    /// The machine that runs the control plane.
    Control,
}

/// One resource at AWS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Where slugs and backups are.
    Bucket,
    /// The network.
    Vpc,
    /// What connects the network with the internet.
    Gateway,
    /// A subnet of a zone whose addresses can be reached from outside.
    PublicSubnet(String),
    /// A subnet of a zone whose addresses cannot.
    PrivateSubnet(String),
    /// The routes of the public subnets.
    PublicRoutes,
    /// The address of a zone's NAT gateway.
    Address(String),
    /// What lets a zone's private subnets call out.
    Nat(String),
    /// The routes of a zone's private subnet.
    PrivateRoutes(String),
    /// The way to buckets that passes neither NAT nor the internet; it is free.
    BucketEndpoint,
    /// Who may reach whom.
    Group(Who),
    /// What someone may do.
    Role(Who),
    /// What gives a machine its role.
    Profile(Who),
    /// How hosts are started.
    Template,
    /// A load balancer, counted from 1.
    Balancer(u8),
    /// One of its ports.
    Listener(u8, u16),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entrance => "entrance",
            Self::Host => "host",
            Self::Control => "control",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket => f.write_str("bucket"),
            Self::Vpc => f.write_str("vpc"),
            Self::Gateway => f.write_str("internet-gateway"),
            Self::PublicSubnet(zone) => write!(f, "public-subnet.{zone}"),
            Self::PrivateSubnet(zone) => write!(f, "private-subnet.{zone}"),
            Self::PublicRoutes => f.write_str("public-routes"),
            Self::Address(zone) => write!(f, "nat-address.{zone}"),
            Self::Nat(zone) => write!(f, "nat-gateway.{zone}"),
            Self::PrivateRoutes(zone) => write!(f, "private-routes.{zone}"),
            Self::BucketEndpoint => f.write_str("bucket-endpoint"),
            Self::Group(who) => write!(f, "security-group.{who}"),
            Self::Role(who) => write!(f, "role.{who}"),
            Self::Profile(who) => write!(f, "instance-profile.{who}"),
            Self::Template => f.write_str("launch-template"),
            Self::Balancer(1) => f.write_str("load-balancer"),
            Self::Balancer(number) => write!(f, "load-balancer.{number}"),
            Self::Listener(1, port) => write!(f, "listener.{port}"),
            Self::Listener(number, port) => write!(f, "listener.{number}.{port}"),
        }
    }
}

/// A tag that names no part.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this names no part of a set-up")]
pub struct NoPart;

impl FromStr for Part {
    type Err = NoPart;

    fn from_str(text: &str) -> Result<Self, NoPart> {
        let (kind, of) = text.split_once('.').map_or((text, None), |(kind, of)| (kind, Some(of)));
        let zone = || of.filter(|zone| !zone.is_empty()).map(str::to_owned).ok_or(NoPart);
        let who = || match of {
            Some("entrance") => Ok(Who::Entrance),
            Some("host") => Ok(Who::Host),
            Some("control") => Ok(Who::Control),
            _ => Err(NoPart),
        };
        Ok(match (kind, of) {
            ("bucket", None) => Self::Bucket,
            ("vpc", None) => Self::Vpc,
            ("internet-gateway", None) => Self::Gateway,
            ("public-subnet", _) => Self::PublicSubnet(zone()?),
            ("private-subnet", _) => Self::PrivateSubnet(zone()?),
            ("public-routes", None) => Self::PublicRoutes,
            ("nat-address", _) => Self::Address(zone()?),
            ("nat-gateway", _) => Self::Nat(zone()?),
            ("private-routes", _) => Self::PrivateRoutes(zone()?),
            ("bucket-endpoint", None) => Self::BucketEndpoint,
            ("security-group", _) => Self::Group(who()?),
            ("role", _) => Self::Role(who()?),
            ("instance-profile", _) => Self::Profile(who()?),
            ("launch-template", None) => Self::Template,
            ("load-balancer", None) => Self::Balancer(1),
            ("load-balancer", Some(number)) => Self::Balancer(further(number)?),
            ("listener", Some(port)) => {
                let (number, port) = match port.split_once('.') {
                    None => (1, port),
                    Some((number, port)) => (further(number)?, port),
                };
                Self::Listener(number, port.parse().map_err(|_| NoPart)?)
            }
            _ => return Err(NoPart),
        })
    }
}

/// Reads the number of a load balancer beyond the first.
fn further(number: &str) -> Result<u8, NoPart> {
    number.parse().ok().filter(|number| *number > 1).ok_or(NoPart)
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Part {
    /// Returns what it is, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Bucket => "bucket for slugs and backups".into(),
            Self::Vpc => "network (VPC)".into(),
            Self::Gateway => "internet gateway".into(),
            Self::PublicSubnet(zone) => format!("public subnet in {zone}"),
            Self::PrivateSubnet(zone) => format!("private subnet in {zone}"),
            Self::PublicRoutes => "routes of the public subnets".into(),
            Self::Address(zone) => format!("address for NAT in {zone}"),
            Self::Nat(zone) => format!("NAT gateway in {zone}"),
            Self::PrivateRoutes(zone) => format!("routes of the private subnet in {zone}"),
            Self::BucketEndpoint => "way from the network to buckets".into(),
            Self::Group(who) => format!("security group of the {}", who.words()),
            Self::Role(who) => format!("role of the {}", who.words()),
            Self::Profile(who) => format!("instance profile of the {}", who.words()),
            Self::Template => "launch template of hosts".into(),
            Self::Balancer(1) => "load balancer".into(),
            Self::Balancer(number) => format!("load balancer {number}"),
            Self::Listener(1, port) => format!("load balancer's port {port}"),
            Self::Listener(number, port) => format!("load balancer {number}'s port {port}"),
        }
    }

    /// Tells whether AWS itself keeps a second one from being made, by its name, its token or its addresses.
    #[must_use]
    pub fn is_unique_at_aws(&self) -> bool {
        !matches!(
            self,
            Self::Vpc | Self::Gateway | Self::PublicRoutes | Self::PrivateRoutes(_) | Self::Address(_)
        )
    }
}

impl Who {
    /// Returns who it is, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Entrance => "load balancer",
            Self::Host => "hosts",
            Self::Control => "control plane",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_back_as_the_part_it_was_written_for() {
        let zone = || "us-east-1a".to_owned();
        let parts = [
            Part::Bucket,
            Part::Vpc,
            Part::Gateway,
            Part::PublicSubnet(zone()),
            Part::PrivateSubnet(zone()),
            Part::PublicRoutes,
            Part::Address(zone()),
            Part::Nat(zone()),
            Part::PrivateRoutes(zone()),
            Part::BucketEndpoint,
            Part::Group(Who::Entrance),
            Part::Role(Who::Host),
            Part::Profile(Who::Control),
            Part::Template,
            Part::Balancer(1),
            Part::Listener(1, 443),
            Part::Balancer(2),
            Part::Listener(12, 443),
        ];
        for part in parts {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        for wrong in [
            "",
            "vpc.x",
            "listener.70000",
            "listener.1.80",
            "load-balancer.1",
            "role.root",
            "public-subnet",
            "public-subnet.",
        ] {
            assert_eq!(wrong.parse::<Part>(), Err(NoPart), "{wrong}");
        }
    }
}
