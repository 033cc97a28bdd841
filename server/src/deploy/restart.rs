//! Restarts: the same release in a new generation, or single replicas that make way for new ones.

use std::fmt;

use fail_point::Step;
use jiff::{SignedDuration, Timestamp};
use model::name::ProcessType;
use model::plan::{ReplicaWish, RolloutPhase};
use model::release::Version;
use store::{App, Db, NewOperation, Operation, OperationKind, Replica};

use super::change::{ChangeError, say_gaps};
use crate::actor::Actor;
use crate::platform::Platform;

/// What is to be restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartTarget {
    /// All replicas.
    All,
    /// Those of one type.
    Type(ProcessType),
    /// One, by its name `web.1`.
    Replica(String),
}

impl fmt::Display for RestartTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("Restart"),
            Self::Type(process) => write!(f, "Restart of {process}"),
            Self::Replica(name) => write!(f, "Restart of {name}"),
        }
    }
}

/// Replaces replicas by new ones of the same release, behind the same health gate as a deploy.
///
/// # Errors
/// An app that was never deployed; a replica or type that is not there.
pub async fn restart(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    target: RestartTarget,
) -> Result<Option<Operation>, ChangeError> {
    let mut tx = platform.store.write().await?;
    let app = store::find_app_by_id(&mut tx, app.id).await?.unwrap_or_else(|| app.clone());
    let Some(serving) = app.serving else {
        return Err(ChangeError::invalid(
            format!("{} has nothing running to restart", app.name),
            "deploy it with `git push paas main`",
        ));
    };
    let operation = match &target {
        RestartTarget::All => Some(replace_all(&mut tx, &app, serving.version, actor).await?),
        some => replace_some(&mut tx, &app, some).await.map(|()| None)?,
    };
    tx.commit().await?;
    fail_point::reach(Step::RestartBegun);
    platform.logs.event(app.id, "api", Some(serving.version), format!("{target} by {}", actor.email));
    platform.wished();
    Ok(operation)
}

async fn replace_all(
    db: &mut Db,
    app: &App,
    version: Version,
    actor: &Actor,
) -> Result<Operation, ChangeError> {
    // A rollout that is under way replaces every replica anyhow.
    if let Some(active) = store::active_operation(db, app.id).await? {
        return Ok(active);
    }
    let new = NewOperation {
        app: app.id,
        kind: OperationKind::Restart,
        version,
        phase: RolloutPhase::Rolling,
        deadline: Timestamp::now() + SignedDuration::from_secs(i64::from(app.settings.rollout_seconds)),
        user: actor.user,
    };
    let operation = store::start_operation(db, new).await?;
    say_gaps(db, app, &operation).await?;
    Ok(operation)
}

async fn replace_some(db: &mut Db, app: &App, target: &RestartTarget) -> Result<(), ChangeError> {
    // What happens from now on may be for what the user does.
    store::end_watch(db, app.id).await?;
    let replicas = store::list_replicas(db, app.id).await?;
    let is_meant = |replica: &&Replica| match target {
        RestartTarget::All => true,
        RestartTarget::Type(process) => replica.process == *process,
        RestartTarget::Replica(name) => replica.name() == *name,
    };
    let meant: Vec<_> =
        replicas.iter().filter(|replica| replica.wish == ReplicaWish::Run).filter(is_meant).collect();
    if meant.is_empty() {
        return Err(ChangeError::not_found("there is no such replica", "`paasctl ps` lists them"));
    }
    for replica in meant {
        store::set_replace(db, replica.id, true).await?;
    }
    Ok(())
}
