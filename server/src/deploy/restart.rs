//! Restarts: the same release in a new generation, or single replicas that make way for new ones.

use jiff::{SignedDuration, Timestamp};
use model::name::ProcessType;
use model::plan::{ReplicaWish, RolloutPhase};
use store::{App, NewOperation, Operation, OperationKind};

use super::change::ChangeError;
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
    let operation = if target == RestartTarget::All {
        // A rollout that is under way replaces every replica anyhow.
        if let Some(active) = store::active_operation(&mut tx, app.id).await? {
            return Ok(Some(active));
        }
        let new = NewOperation {
            app: app.id,
            kind: OperationKind::Restart,
            version: serving.version,
            phase: RolloutPhase::Rolling,
            deadline: Timestamp::now() + SignedDuration::from_secs(i64::from(app.settings.rollout_seconds)),
            user: actor.user,
        };
        Some(store::start_operation(&mut tx, new).await?)
    } else {
        let replicas = store::list_replicas(&mut tx, app.id).await?;
        let chosen =
            replicas.iter().filter(|replica| replica.wish == ReplicaWish::Run).filter(
                |replica| match &target {
                    RestartTarget::All => true,
                    RestartTarget::Type(process) => replica.process == *process,
                    RestartTarget::Replica(name) => replica.name() == *name,
                },
            );
        let ids: Vec<_> = chosen.map(|replica| replica.id).collect();
        if ids.is_empty() {
            return Err(ChangeError::not_found("there is no such replica", "`paasctl ps` lists them"));
        }
        for id in ids {
            store::set_replace(&mut tx, id, true).await?;
        }
        None
    };
    tx.commit().await.map_err(store::Error::from)?;
    let what = match &target {
        RestartTarget::All => "Restart".to_owned(),
        RestartTarget::Type(process) => format!("Restart of {process}"),
        RestartTarget::Replica(name) => format!("Restart of {name}"),
    };
    platform.logs.event(app.id, "api", Some(serving.version), format!("{what} by {}", actor.email));
    platform.wished();
    Ok(operation)
}
