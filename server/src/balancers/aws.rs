//! The load balancers of a set-up on AWS.

use std::sync::Arc;

use ::aws::entrance::LoadBalancers;
use ::aws::setup::ClusterName;
use ::aws::{Clients, Place};
use anyhow::Context as _;

use super::Connected;

pub(super) async fn connect(name: &ClusterName) -> anyhow::Result<Connected> {
    let clients = Clients::of(&Place::default()).await.context("cannot call AWS about load balancers")?;
    let balancers = Arc::new(LoadBalancers::new(Arc::new(clients), name.clone(), Vec::new()));
    Ok(Connected { balancers: balancers.clone(), door: balancers, cluster: name.to_string() })
}
