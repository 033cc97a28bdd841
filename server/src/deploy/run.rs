//! One-off processes, and stopping single replicas.

use model::name::ProcessType;
use model::plan::{MAKES_ROOM, ReplicaWish, place_one};
use model::size::Size;
use store::{App, NewReplica, Replica};

use super::change::ChangeError;
use crate::actor::Actor;
use crate::platform::Platform;
use crate::reconcile::host_view;

/// The longest that a one-off process runs when nobody says otherwise: a day, as on Heroku.
const DAY_SECONDS: u32 = 24 * 3600;

/// A command to be run once.
#[derive(Clone, Debug)]
pub struct OneOff {
    /// The command line.
    pub command: String,
    /// How large the replica is.
    pub size: Size,
    /// Most seconds it may run; a day when not said.
    pub seconds: Option<u32>,
}

/// Runs a command once in the release that serves, without waiting for it. Its output goes to the app's log.
///
/// # Errors
/// An app that was never deployed; a command that no shell can take.
pub async fn run_detached(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    one_off: OneOff,
) -> Result<Replica, ChangeError> {
    check_command(&one_off.command)?;
    let mut tx = platform.store.write().await?;
    let app = store::find_app_by_id(&mut tx, app.id).await?.unwrap_or_else(|| app.clone());
    let Some(serving) = app.serving else {
        let message = format!("{} has no release to run it in", app.name);
        return Err(ChangeError::invalid(message, "deploy it with `git push paas main`"));
    };
    let hosts = store::list_hosts(&mut tx).await?;
    let claims: Vec<_> =
        store::list_all_replicas(&mut tx).await?.iter().map(|r| (r.host_id, r.size)).collect();
    let silent = &platform.outlook.fleet().silent;
    let hosts: Vec<_> = hosts.iter().map(|host| host_view(host, silent.contains(&host.id))).collect();
    let host = place_one(&hosts, &claims, one_off.size)
        .map_err(|why| ChangeError::invalid(format!("there is no room for it: {why}"), MAKES_ROOM))?;
    let number = store::next_number(&mut tx, &format!("run of {}", app.id), 1000).await?;
    let new = NewReplica {
        app: app.id,
        version: serving.version,
        generation: serving.generation,
        process: ProcessType::run(),
        number: u32::try_from(number).unwrap_or(u32::MAX),
        host,
        wish: ReplicaWish::Once { seconds: one_off.seconds.unwrap_or(DAY_SECONDS).clamp(1, 7 * DAY_SECONDS) },
        command: Some(one_off.command),
        size: one_off.size,
        operation: None,
    };
    let replica = store::create_replica(&mut tx, new).await?;
    tx.commit().await?;
    let text = format!("Starting process run.{} by {}", replica.number, actor.email);
    platform.logs.event(app.id, "api", Some(serving.version), text);
    platform.wished();
    Ok(replica)
}

fn check_command(command: &str) -> Result<(), ChangeError> {
    if !command.trim().is_empty() && !command.contains('\0') {
        return Ok(());
    }
    Err(ChangeError::invalid(
        "a command is needed",
        "such as `paasctl run:detached python manage.py migrate`",
    ))
}

/// Stops one-off processes by name, and replaces replicas of the formation, which are wanted for as long as it says so.
///
/// # Errors
/// A replica that is not there.
pub async fn stop_replicas(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    name: &str,
) -> Result<(), ChangeError> {
    let mut tx = platform.store.write().await?;
    let replicas = store::list_replicas(&mut tx, app.id).await?;
    let named = |replica: &&Replica| replica.name() == name || replica.process.as_str() == name;
    let chosen: Vec<&Replica> = replicas.iter().filter(named).collect();
    if chosen.is_empty() {
        return Err(ChangeError::not_found(
            format!("there is no replica `{name}`"),
            "`paasctl ps` lists them",
        ));
    }
    for replica in chosen {
        match replica.wish {
            ReplicaWish::Once { .. } => store::set_wish(&mut tx, replica.id, ReplicaWish::Stop).await?,
            ReplicaWish::Run => store::set_replace(&mut tx, replica.id, true).await?,
            ReplicaWish::Drain { .. } | ReplicaWish::Stop => {}
        }
    }
    tx.commit().await?;
    platform.logs.event(app.id, "api", None, format!("Stopping {name} by {}", actor.email));
    platform.wished();
    Ok(())
}
