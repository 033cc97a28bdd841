//! The load balancers of a platform on AWS (ALBs), as `cloud::entrance` asks for them. Whose something is stands in its tags, which
//! are asked for once: they stay as they are.

mod balancers;
mod changes;
mod door;
mod read;
mod tags;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::ClusterName;
use cloud::entrance::Refused;
use tags::Tags;

/// The tag that says which app a target group is for.
const APP_TAG: &str = "paas:app";

/// The tag that says which load balancer a target group was made for.
const BALANCER_TAG: &str = "paas:balancer";

/// The load balancers of one platform: those that bear its tag, and those that were adopted.
#[derive(Debug)]
pub struct LoadBalancers {
    clients: Arc<Clients>,
    cluster: ClusterName,
    adopted: Vec<String>,
    tags: Tags,
    /// Listeners that are not in use and have no rule for the control plane.
    clear: Mutex<BTreeSet<String>>,
}

impl LoadBalancers {
    /// Asks with these clients. `adopted` are the ARNs of load balancers that are used though they bear no tag.
    #[must_use]
    pub fn new(clients: Arc<Clients>, cluster: ClusterName, adopted: Vec<String>) -> Self {
        Self { clients, cluster, adopted, tags: Tags::default(), clear: Mutex::default() }
    }
}

pub(crate) fn refused(failure: Failure) -> Refused {
    let (unknown, clear) = (failure.kind == Kind::Unknown, !failure.kind.is_passing());
    let says = match failure.kind {
        Kind::Denied => format!("{failure}; the control plane's policy must allow {}", failure.action),
        _ => failure.to_string(),
    };
    Refused { says, unknown, clear }
}
