//! The load balancers of a set-up on AWS.

use std::sync::Arc;

use ::aws::dns::Names;
use ::aws::entrance::LoadBalancers;
use ::aws::setup::ClusterName;
use ::aws::{Clients, Place};
use anyhow::Context as _;

use super::Connected;
use crate::options::Options;

pub(super) async fn connect(name: &ClusterName, options: &Options) -> anyhow::Result<Connected> {
    let clients = Clients::of(&Place::default()).await.context("cannot call AWS about load balancers")?;
    let clients = Arc::new(clients);
    let balancers =
        Arc::new(LoadBalancers::new(clients.clone(), name.clone(), options.aws_balancers.clone()));
    let names = Arc::new(Names::new(clients, name.clone()));
    Ok(Connected { balancers: balancers.clone(), door: balancers, names, cluster: name.to_string() })
}
