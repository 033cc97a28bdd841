//! The containers of replicas: finds those that are ours, and signals, ends, measures and removes them.

use std::collections::HashMap;
use std::time::Duration;

use agent::{Memory, Usage};
use anyhow::Context as _;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptions, ListContainersOptions, RemoveContainerOptions,
    StatsOptions,
};
use futures::StreamExt as _;
use model::id::ReplicaId;

use super::{Inner, end, lock};
use crate::daemon::{CHANGE, DaemonError, QUICK};
use crate::labels;

impl Inner {
    /// Takes note of whether the daemon answers.
    pub(super) fn noted<T>(&self, answer: Result<T, DaemonError>) -> Result<T, DaemonError> {
        let down = match &answer {
            Err(error) if error.is_silence() => {
                Some(format!("Replicas cannot be started or stopped: {error}."))
            }
            _ => None,
        };
        *lock(&self.down) = down;
        answer
    }

    /// Returns the replicas that have a container of ours.
    pub(super) async fn containers(&self) -> Result<Vec<ReplicaId>, DaemonError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(labels::filter(&self.mark, labels::REPLICA)),
            ..ListContainersOptions::default()
        };
        let listed = self.daemon.docker().list_containers(Some(options));
        let listed = self.noted(self.daemon.ask("list containers", CHANGE, listed).await)?;
        let id = |labels: HashMap<String, String>| labels.get(labels::REPLICA)?.parse().ok();
        Ok(listed.into_iter().filter_map(|container| id(container.labels?)).collect())
    }

    /// Returns the container of a replica, if it has one that is ours.
    pub(super) async fn inspect(
        &self,
        id: ReplicaId,
    ) -> Result<Option<ContainerInspectResponse>, DaemonError> {
        let name = self.name(id);
        let found = self.daemon.docker().inspect_container(&name, None::<InspectContainerOptions>);
        match self.noted(self.daemon.ask("look at a container", QUICK, found).await) {
            Ok(found) => {
                let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
                let ours = labels.is_some_and(|labels| labels.get(labels::MARK) == Some(&self.mark));
                Ok(Some(found).filter(|_| ours))
            }
            Err(DaemonError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn signal(&self, id: ReplicaId, signal: &str) -> Result<(), DaemonError> {
        let options = KillContainerOptions { signal: signal.to_owned() };
        let (name, docker) = (self.name(id), self.daemon.docker());
        let killed = docker.kill_container(&name, Some(options));
        match self.noted(self.daemon.ask("signal a container", CHANGE, killed).await) {
            // What has ended already needs no signal.
            Err(DaemonError::Missing(_) | DaemonError::Conflict(_)) => Ok(()),
            other => other,
        }
    }

    /// Kills what runs of a replica and waits until it has ended.
    pub(super) async fn kill(&self, id: ReplicaId) -> anyhow::Result<()> {
        if !self.inspect(id).await?.as_ref().is_some_and(end::is_running) {
            return Ok(());
        }
        self.signal(id, "SIGKILL").await?;
        tokio::time::timeout(CHANGE, self.wait(id)).await.context("a killed container does not end")
    }

    /// Removes the container of a replica.
    pub(super) async fn remove(&self, id: ReplicaId) -> anyhow::Result<()> {
        let Some(found) = self.inspect(id).await? else { return Ok(()) };
        let options = RemoveContainerOptions { force: true, v: true, link: false };
        let container = found.id.unwrap_or_else(|| self.name(id));
        let removed = self.daemon.docker().remove_container(&container, Some(options));
        match self.noted(self.daemon.ask("remove a container", CHANGE, removed).await) {
            Err(DaemonError::Missing(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    pub(super) async fn usage(&self, id: ReplicaId) -> Option<Usage> {
        let (name, options) = (self.name(id), StatsOptions { stream: false, one_shot: true });
        let mut stats = std::pin::pin!(self.daemon.docker().stats(&name, Some(options)));
        let counted = tokio::time::timeout(QUICK, stats.next()).await.ok()??.ok()?;
        let memory = counted.memory_stats?;
        let field = |name| memory.stats.as_ref().and_then(|stats| stats.get(name).copied());
        let memory = memory.usage.map(|bytes| Memory {
            bytes,
            files: field("shmem").or_else(|| field("total_shmem")).unwrap_or(0),
        });
        let cpu = counted.cpu_stats?.cpu_usage?.total_usage.map(Duration::from_nanos);
        Some(Usage { memory, cpu })
    }
}
