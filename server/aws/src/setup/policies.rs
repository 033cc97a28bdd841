//! What each of the three may do at AWS: files in `policies/`, with the platform's own names put in.

use serde_json::Value;

use super::ClusterName;
use crate::dns::ZoneId;

/// The blank for the hosted zone. Without one nothing is granted about any.
const ZONE: &str = "${ZONE}";

/// A policy with blanks for names.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whose it is: `installer`, `control` or `host`.
    pub name: &'static str,
    template: &'static str,
}

/// All of them.
pub const POLICIES: [Policy; 3] = [
    Policy { name: "installer", template: include_str!("../../policies/installer.json") },
    Policy { name: "control", template: include_str!("../../policies/control.json") },
    Policy { name: "host", template: include_str!("../../policies/host.json") },
];

/// What a policy is about.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The platform.
    pub cluster: &'a ClusterName,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
    /// The network's id.
    pub vpc: &'a str,
    /// The load balancer's name.
    pub balancer: &'a str,
    /// The hosted zone in which the platform keeps its names, if it does.
    pub dns_zone: Option<&'a ZoneId>,
}

impl Policy {
    /// Returns the policy of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.into_iter().find(|policy| policy.name == name)
    }

    /// Returns the policy for these names. An account of `*` or the like is fine for reading, but grants nothing.
    #[must_use]
    pub fn filled(&self, names: &Names<'_>) -> Value {
        let zone = names.dns_zone.map_or(ZONE, ZoneId::as_str);
        let text = self
            .template
            .replace("${CLUSTER}", names.cluster.as_str())
            .replace("${ACCOUNT}", names.account)
            .replace("${REGION}", names.region)
            .replace("${VPC}", names.vpc)
            .replace("${BALANCER}", names.balancer)
            .replace(ZONE, zone);
        let mut policy: Value =
            serde_json::from_str(&text).expect("a test fills all of them, and the names need no escaping");
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.retain(|statement| !statement.to_string().contains(ZONE));
        }
        policy
    }
}
