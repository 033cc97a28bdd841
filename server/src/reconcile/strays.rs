//! Web replicas that hosts run and a restored database does not know, because they were started after the backup. They are
//! taken into it, so that they serve until those that the database wishes for do. Other strays end, as everywhere.

use std::collections::{BTreeMap, BTreeSet};

use model::id::{AppId, HostId, ReplicaId};
use model::name::ProcessType;
use model::plan::ReplicaWish;
use model::replica::{Phase, ReplicaStatus, Role};
use model::size::Size;
use store::{DesiredApp, Host, HostState, NewReplica, Serving};

use super::reader::Rows;
use crate::platform::Platform;

/// Hears the hosts out that were to say what runs there, and takes their strays in. Returns whether there were such hosts.
///
/// # Errors
/// A database that fails; the hosts are heard again.
pub(super) async fn take_in(platform: &Platform, rows: &Rows) -> anyhow::Result<bool> {
    if rows.to_recount.is_empty() {
        return Ok(false);
    }
    let reports = platform.facts.reports();
    let heard: Vec<_> = rows.to_recount.iter().filter_map(|id| Some((*id, reports.of(*id)?))).collect();
    if heard.is_empty() {
        return Ok(false);
    }
    let known = Known::of(&rows.apps);
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(false) };
    let mut taken_in = Vec::new();
    for (id, heard) in heard {
        let stays = |host: &&Host| matches!(host.state, HostState::Ready | HostState::Draining);
        let host = rows.hosts.iter().filter(stays).find(|host| host.id == id);
        if !store::note_recounted(&mut tx, id).await? {
            continue;
        }
        let Some(host) = host else { continue };
        for stray in heard.report.replicas.iter().filter_map(|status| known.stray(id, status)) {
            if store::adopt_replica(&mut tx, stray.id, stray.wanted.clone()).await?.is_some() {
                taken_in.push((host, stray));
            }
        }
    }
    tx.commit().await?;
    for (host, stray) in taken_in {
        let Stray { role, wanted, .. } = stray;
        let (process, serving) = (format!("{}.{}", role.process, role.number), wanted.version);
        let text = format!(
            "{process} on host {} is not of the backup: it runs {} and serves until {serving} does",
            host.name, role.release
        );
        platform.logs.event(wanted.app, &process, Some(role.release), text);
    }
    Ok(true)
}

/// What the database knows.
struct Known {
    replicas: BTreeSet<ReplicaId>,
    /// What serves of each app that is not deleted, and the size of its web replicas.
    serving: BTreeMap<AppId, (Serving, Size)>,
}

/// One that the database does not know.
#[derive(Debug)]
struct Stray {
    id: ReplicaId,
    role: Role,
    wanted: NewReplica,
}

impl Known {
    fn of(apps: &[DesiredApp]) -> Self {
        let size = |desired: &DesiredApp| desired.formation.get(&ProcessType::web()).map(|scale| scale.size);
        let living = apps.iter().filter(|desired| desired.app.deleted_at.is_none());
        let serving = living.filter_map(|desired| {
            Some((desired.app.id, (desired.app.serving?, size(desired).unwrap_or_default())))
        });
        Self {
            serving: serving.collect(),
            replicas: apps.iter().flat_map(|desired| &desired.replicas).map(|replica| replica.id).collect(),
        }
    }

    /// Returns what becomes of a replica that a host runs; nothing if it is known, or need not serve any longer.
    fn stray(&self, host: HostId, status: &ReplicaStatus) -> Option<Stray> {
        let role = status.role.clone().filter(|role| role.process.is_web())?;
        let (serving, size) = self.serving.get(&role.app)?;
        if self.replicas.contains(&status.id) || !matches!(status.phase, Phase::Healthy | Phase::Unhealthy) {
            return None;
        }
        let wanted = NewReplica {
            app: role.app,
            // The release it runs is not there. It stands for what serves, and should it end, it starts again as that.
            version: serving.version,
            generation: serving.generation,
            process: role.process.clone(),
            number: role.number,
            host,
            wish: ReplicaWish::Run,
            command: None,
            size: *size,
            operation: None,
        };
        Some(Stray { id: status.id, role, wanted })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::release::Version;

    use super::*;

    fn status(role: Option<Role>, phase: Phase) -> ReplicaStatus {
        ReplicaStatus {
            id: ReplicaId::new(),
            role,
            phase,
            since: Timestamp::UNIX_EPOCH,
            address: None,
            restarts: 0,
            last_exit: None,
            probe: None,
            silent: false,
            memory_bytes: None,
            cpu: None,
        }
    }

    fn role(app: AppId, process: &str) -> Option<Role> {
        Some(Role { app, release: Version(7), process: process.parse().unwrap(), number: 2 })
    }

    #[test]
    fn web_replicas_that_serve_are_strays_and_what_is_known_or_of_no_use_is_not() {
        let (app, host) = (AppId::new(), HostId::new());
        let mut known = Known {
            replicas: BTreeSet::new(),
            serving: [(app, (Serving { version: Version(5), generation: 3 }, Size::default()))].into(),
        };
        let web = status(role(app, "web"), Phase::Healthy);
        let found = known.stray(host, &web).unwrap();
        assert_eq!((found.id, found.role.release), (web.id, Version(7)));
        assert_eq!((found.wanted.version, found.wanted.generation), (Version(5), 3));
        assert_eq!((found.wanted.number, found.wanted.host), (2, host));
        assert!(
            known.stray(host, &status(role(app, "web"), Phase::Unhealthy)).is_some(),
            "for a moment only"
        );
        let others = [
            status(role(app, "worker"), Phase::Healthy),
            status(role(app, "web"), Phase::Starting),
            status(role(app, "web"), Phase::Stopping),
            status(role(AppId::new(), "web"), Phase::Healthy),
            status(None, Phase::Healthy),
        ];
        for other in others {
            assert!(known.stray(host, &other).is_none(), "{other:?}");
        }
        known.replicas.insert(web.id);
        assert!(known.stray(host, &web).is_none());
    }
}
