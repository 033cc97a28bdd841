//! EC2 as a [`Cloud`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cloud::{Cloud, Listed, Order, Refused, Site};
use model::instances::{InstanceId, Refusal};
use tokio::sync::Mutex;

use super::ground::Ground;
use super::refusal;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::ClusterName;

/// How old what was found of the set-up may be.
const FRESH: Duration = Duration::from_secs(60);

/// How many instances a page of a list has: of more the answer may take too long.
const PAGE: i32 = 500;

/// The instances of one platform.
pub struct Ec2 {
    pub(super) clients: Clients,
    pub(super) name: ClusterName,
    pub(super) page: i32,
    /// Where hosts go in a network that was adopted, and so has no tags.
    subnets: Vec<String>,
    ground: Mutex<Option<(Instant, Arc<Ground>)>>,
}

impl Ec2 {
    /// Speaks for the platform of this name. `subnets` are those of its hosts, by id, where the set-up has adopted a network;
    /// otherwise there are none and they are found by their tags.
    #[must_use]
    pub fn new(clients: Clients, name: ClusterName, subnets: Vec<String>) -> Self {
        Self { clients, name, subnets, page: PAGE, ground: Mutex::default() }
    }

    /// Asks for lists in pages of so many instances, from 5 to 1000.
    #[must_use]
    pub fn paged(self, instances: i32) -> Self {
        Self { page: instances, ..self }
    }

    /// Returns what the set-up says about hosts, as it was at most a minute ago.
    async fn ground(&self) -> Result<Arc<Ground>, Failure> {
        let mut known = self.ground.lock().await;
        match &*known {
            Some((at, ground)) if at.elapsed() < FRESH => Ok(Arc::clone(ground)),
            _ => {
                let ground = Arc::new(Ground::find(&self.clients, &self.name, &self.subnets).await?);
                *known = Some((Instant::now(), Arc::clone(&ground)));
                Ok(ground)
            }
        }
    }
}

#[async_trait]
impl Cloud for Ec2 {
    async fn site(&self) -> Result<Site, String> {
        let ground = self.ground().await.map_err(|failure| said(&failure))?;
        Ok(ground.site())
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        self.instances().await.map_err(|failure| said(&failure))
    }

    async fn launch(&self, order: &Order) -> Result<InstanceId, Refused> {
        let refused = |refusal, failure: &Failure| Refused { refusal, says: said(failure) };
        let ground = self.ground().await.map_err(|failure| refused(unasked(&failure), &failure))?;
        self.order(&ground, order).await.map_err(|failure| refused(refusal(&failure), &failure))
    }

    async fn terminate(&self, ids: &[InstanceId]) -> Result<(), String> {
        self.end(ids).await.map_err(|failure| said(&failure))
    }
}

/// Returns why nothing was asked for: that says nothing of what is asked for.
fn unasked(failure: &Failure) -> Refusal {
    match refusal(failure) {
        Refusal::Invalid => Refusal::Throttled,
        other => other,
    }
}

/// Returns what went wrong, and what helps unless it passes.
pub(super) fn said(failure: &Failure) -> String {
    match failure.kind {
        Kind::Credentials => {
            format!("{failure}: the credentials of the control plane have expired or are wrong")
        }
        Kind::Denied => format!(
            "{failure}: the control plane needs the permission {}; `paasctl aws:policy control` shows all of them",
            failure.action
        ),
        _ => failure.to_string(),
    }
}
