//! What this engine has in the daemon: containers and networks of this directory's, and stack images, which all engines of
//! the host share.

use std::collections::{BTreeSet, HashMap};

use agent::EngineError;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as State};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, RemoveContainerOptions};
use jiff::Timestamp;
use model::keep::{Belonging, Purpose};

use super::Inner;
use crate::daemon::{CHANGE, DaemonError};
use crate::{labels, stack};

impl Inner {
    /// Returns all of it.
    pub(super) async fn belongings(&self) -> Result<Vec<Belonging>, DaemonError> {
        let containers = self.all_containers().await?;
        let images: BTreeSet<&str> =
            containers.iter().filter_map(|found| found.image_id.as_deref()).collect();
        let stacks = stack::list_stacks(&self.daemon).await?.into_iter().map(|found| {
            let purpose =
                Purpose::Stack { replaced: found.image.is_none(), used: images.contains(found.id.as_str()) };
            Belonging { id: found.id, bytes: found.bytes, made_at: found.created, purpose }
        });
        let own = containers.iter().filter_map(|found| self.container(found));
        Ok(own.chain(stacks).chain(self.own_networks().await?).collect())
    }

    /// Removes one of them. What is in use is refused by the daemon, as it should be.
    pub(super) async fn discard(&self, belonging: &Belonging) -> Result<(), EngineError> {
        let (docker, id) = (self.daemon.docker(), belonging.id.as_str());
        let removed = match &belonging.purpose {
            Purpose::Replica(_) | Purpose::Build { .. } => {
                let options = RemoveContainerOptions { force: true, v: true, link: false };
                let removed = docker.remove_container(id, Some(options));
                self.daemon.ask("remove a container", CHANGE, removed).await
            }
            Purpose::App(app) => {
                self.networks.give_up(*app).await;
                Ok(())
            }
            Purpose::Stack { .. } => stack::remove(&self.daemon, id).await,
        };
        match removed {
            Err(DaemonError::Missing(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    async fn all_containers(&self) -> Result<Vec<ContainerSummary>, DaemonError> {
        let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        let listed = self.daemon.docker().list_containers(Some(options));
        self.daemon.ask("list containers", CHANGE, listed).await
    }

    /// Returns a container as ours if it is.
    fn container(&self, found: &ContainerSummary) -> Option<Belonging> {
        let labels = found.labels.as_ref()?;
        if labels.get(labels::MARK) != Some(&self.mark) {
            return None;
        }
        let purpose = match labels.get(labels::REPLICA) {
            Some(id) => Purpose::Replica(id.parse().ok()?),
            None => {
                labels.get(labels::BUILD)?;
                let ended = matches!(found.state?, State::CREATED | State::EXITED | State::DEAD);
                Purpose::Build { running: !ended }
            }
        };
        let made_at = Timestamp::from_second(found.created?).ok()?;
        Some(Belonging { id: found.id.clone()?, bytes: 0, made_at, purpose })
    }

    async fn own_networks(&self) -> Result<Vec<Belonging>, DaemonError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{}={}", labels::MARK, self.mark)])]);
        let listed = self.daemon.docker().list_networks(Some(ListNetworksOptions { filters: Some(filters) }));
        let listed = self.daemon.ask("list networks", CHANGE, listed).await?;
        let network = |found: bollard::models::Network| {
            let app = found.labels?.get(labels::APP)?.parse().ok()?;
            let made_at = found.created?.parse().ok()?;
            Some(Belonging { id: found.name?, bytes: 0, made_at, purpose: Purpose::App(app) })
        };
        Ok(listed.into_iter().filter_map(network).collect())
    }
}
