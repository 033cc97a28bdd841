//! What a set-up comes to: all that the control plane needs to know of it.

use serde::{Deserialize, Serialize};

use super::ClusterName;
use crate::dns::ZoneId;

/// Where hosts are started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSubnet {
    /// The subnet's id.
    pub id: String,
    /// Its zone.
    pub zone: String,
}

/// A platform on AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub cluster: ClusterName,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The network.
    pub vpc: String,
    /// Where hosts are started.
    pub host_subnets: Vec<HostSubnet>,
    /// Where the control plane may be.
    pub control_subnet: String,
    /// The hosts' security group.
    pub host_group: String,
    /// The control plane's security group.
    pub control_group: String,
    /// The control plane's instance profile.
    pub control_profile: String,
    /// How hosts are started: the launch template's id.
    pub launch_template: String,
    /// The bucket.
    pub bucket: String,
    /// The load balancer's ARN.
    pub balancer: String,
    /// Its name in DNS.
    pub address: String,
    /// The names in DNS of further load balancers.
    pub more_addresses: Vec<String>,
    /// The hosted zone in which the control plane keeps names.
    pub dns_zone: Option<ZoneId>,
    /// Its ports, each with its listener's ARN.
    pub listeners: std::collections::BTreeMap<u16, String>,
}
