//! Carries out what was planned. It has no choices: each action is a change of wishes in one transaction, or a
//! question asked in the background.

use std::collections::BTreeMap;
use std::sync::Arc;

use fail_point::Step;
use jiff::{SignedDuration, Timestamp};
use model::id::{AppId, OperationId, ReplicaId};
use model::plan::{Action, AppView, NewReplica, World};
use model::release::ReleaseStatus;
use model::wording;
use tracing::warn;

use model::plan::ReplicaWish;
use store::{Db, DesiredApp, Operation, OperationState, Serving};

use super::entrance::{Entrance, Question};
use super::watch;
use crate::platform::Platform;

/// Does it all. Returns whether wishes were changed.
pub(super) async fn carry_out(
    platform: &Arc<Platform>,
    entrance: &Entrance,
    (apps, world): (&[DesiredApp], &World),
    actions: Vec<Action>,
) -> bool {
    let index = Index::of(apps, world);
    let (questions, changes): (Vec<_>, Vec<_>) =
        actions.into_iter().partition(|action| matches!(action, Action::Verify(_)));
    for action in questions {
        if let Action::Verify(id) = action
            && let Some(desired) = index.app_of(id)
        {
            let host = format!("{}.{}", desired.app.name, platform.options.domain);
            let path = desired.app.settings.health.path.clone();
            entrance.ask(platform, Question { replica: id, host, path });
        }
    }
    let mut by_app: BTreeMap<Option<AppId>, Vec<Action>> = BTreeMap::new();
    for action in changes {
        by_app.entry(index.app_id(&action)).or_default().push(action);
    }
    let mut acted = false;
    for actions in by_app.into_values() {
        // What cannot be done for one app must not hold up the others; the next turn plans it again.
        match change_app(platform, &index, actions).await {
            Ok(done) => acted |= done,
            Err(error) => warn!(error = format!("{error:#}"), "an app's plan could not be carried out"),
        }
    }
    acted
}

/// Makes all changes of one app or none. Returns whether it did: nothing of what was planned holds when the app's
/// operation has ended or changed hands meanwhile, or another server leads.
async fn change_app(platform: &Platform, index: &Index<'_>, actions: Vec<Action>) -> anyhow::Result<bool> {
    let mut events = Vec::new();
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(false) };
    let app = actions.first().and_then(|action| index.app_id(action)).and_then(|id| index.apps.get(&id));
    if let Some(operation) = app.and_then(|desired| desired.operation.as_ref())
        && !store::hold_operation(&mut tx, operation, &platform.lease()).await?
    {
        return Ok(false);
    }
    let steps: Vec<Step> = actions.iter().filter_map(step).collect();
    for action in actions {
        change(platform, (&mut tx, index), action, &mut events).await?;
    }
    tx.commit().await?;
    steps.into_iter().for_each(fail_point::reach);
    if !events.is_empty() {
        platform.signals.collect.notify_one();
    }
    for Event { app, release, text } in events {
        platform.logs.event(app, "platform", release, text);
    }
    Ok(true)
}

/// Returns what is on disk once the action is carried out.
fn step(action: &Action) -> Option<Step> {
    Some(match action {
        Action::Create(new) if new.once_for.is_some() => Step::ReleaseCommandWished,
        Action::Create(_) => Step::ReplicaWished,
        Action::Drain(_) => Step::DrainWished,
        Action::Stop(_) => Step::StopWished,
        Action::Forget(_) => Step::ReplicaForgotten,
        Action::Advance(_) => Step::ReleaseCommandDone,
        Action::Switch(_) => Step::Switched,
        Action::Fail(..) => Step::RolloutFailed,
        Action::Revert(..) => Step::Reverted,
        Action::EndWatch(_) | Action::Verify(_) => return None,
    })
}

/// A line for an app's log, written once the change is.
struct Event {
    app: AppId,
    release: Option<model::release::Version>,
    text: String,
}

impl Event {
    fn about(app: AppId, (release, text): (model::release::Version, String)) -> Self {
        Self { app, release: Some(release), text }
    }
}

/// Finds things by their ids.
struct Index<'a> {
    apps: BTreeMap<AppId, &'a DesiredApp>,
    views: BTreeMap<AppId, &'a AppView>,
    replicas: BTreeMap<ReplicaId, AppId>,
    operations: BTreeMap<OperationId, (&'a DesiredApp, &'a Operation)>,
}

impl<'a> Index<'a> {
    fn of(apps: &'a [DesiredApp], world: &'a World) -> Self {
        let replicas = apps.iter().flat_map(|a| a.replicas.iter().map(|r| (r.id, a.app.id))).collect();
        let operations = apps.iter().filter_map(|a| a.operation.as_ref().map(|o| (o.id, (a, o)))).collect();
        let views = world.apps.iter().map(|view| (view.id, view)).collect();
        Self { apps: apps.iter().map(|app| (app.app.id, app)).collect(), views, replicas, operations }
    }

    fn app_id(&self, action: &Action) -> Option<AppId> {
        match action {
            Action::Create(new) => Some(new.app),
            Action::EndWatch(app) | Action::Revert(app, _) => Some(*app),
            Action::Verify(id) | Action::Drain(id) | Action::Stop(id) | Action::Forget(id) => {
                self.replicas.get(id).copied()
            }
            Action::Advance(id) | Action::Switch(id) | Action::Fail(id, _) => {
                self.operations.get(id).map(|(desired, _)| desired.app.id)
            }
        }
    }

    fn app_of(&self, replica: ReplicaId) -> Option<&'a DesiredApp> {
        self.apps.get(self.replicas.get(&replica)?).copied()
    }
}

async fn change(
    platform: &Platform,
    (db, index): (&mut Db, &Index<'_>),
    action: Action,
    events: &mut Vec<Event>,
) -> anyhow::Result<()> {
    match action {
        Action::Create(new) => create(db, index, new).await?,
        Action::Drain(id) => drain(db, index, id).await?,
        Action::Stop(id) => store::set_wish(db, id, ReplicaWish::Stop).await?,
        Action::Forget(id) => store::delete_replica(db, id).await?,
        Action::Advance(id) => advance(db, index, id).await?,
        Action::Switch(id) => switch(db, index, id, events).await?,
        Action::Fail(id, reason) => fail(db, index, id, &reason, events).await?,
        Action::EndWatch(id) => {
            let Some(desired) = index.apps.get(&id) else { return Ok(()) };
            events.extend(watch::end(db, desired).await?.map(|said| Event::about(id, said)));
        }
        Action::Revert(id, fault) => {
            let Some(desired) = index.apps.get(&id) else { return Ok(()) };
            let said = watch::revert(platform, db, desired, &fault).await?;
            events.extend(said.into_iter().map(|said| Event::about(id, said)));
        }
        Action::Verify(_) => {}
    }
    Ok(())
}

async fn drain(db: &mut Db, index: &Index<'_>, id: ReplicaId) -> store::Result<()> {
    let Some(desired) = index.app_of(id) else { return Ok(()) };
    let replica = desired.replicas.iter().find(|replica| replica.id == id);
    let seconds = replica.map_or(0, |replica| desired.app.settings.drain_seconds_of(&replica.process));
    let until = Timestamp::now() + SignedDuration::from_secs(i64::from(seconds));
    store::set_wish(db, id, ReplicaWish::Drain { until }).await
}

async fn create(db: &mut Db, index: &Index<'_>, new: NewReplica) -> store::Result<()> {
    let Some(desired) = index.apps.get(&new.app) else { return Ok(()) };
    let size = desired.formation.get(&new.process).map(|scale| scale.size).unwrap_or_default();
    let seconds = desired.app.settings.release_command_seconds;
    let wish = if new.once_for.is_some() { ReplicaWish::Once { seconds } } else { ReplicaWish::Run };
    let replica = store::NewReplica {
        app: new.app,
        version: new.version,
        generation: new.generation,
        process: new.process,
        number: new.number,
        host: new.host,
        wish,
        command: None,
        size,
        operation: new.once_for,
    };
    store::create_replica(db, replica).await.map(drop)
}

async fn advance(db: &mut Db, index: &Index<'_>, id: OperationId) -> store::Result<()> {
    if index.operations.contains_key(&id) && store::advance_operation(db, id).await? {
        store::add_step(db, id, "release command succeeded").await?;
    }
    Ok(())
}

async fn switch(
    db: &mut Db,
    index: &Index<'_>,
    id: OperationId,
    events: &mut Vec<Event>,
) -> store::Result<()> {
    let Some((desired, operation)) = index.operations.get(&id) else { return Ok(()) };
    // A user may have cancelled it, or a newer one taken its place, since the plan was made.
    if !store::finish_operation(db, id, OperationState::Succeeded, None).await? {
        return Ok(());
    }
    let (app, version) = (desired.app.id, operation.version);
    store::set_serving(db, app, Serving { version, generation: operation.generation }).await?;
    store::set_release_status(db, app, version, ReleaseStatus::Succeeded, None).await?;
    if let Some(view) = index.views.get(&app)
        && let Some(said) = watch::begin(db, (desired, view), operation).await?
    {
        store::add_step(db, id, &said).await?;
    }
    let took = wording::duration(Timestamp::now().duration_since(operation.created_at));
    let text = format!("{version} serves; the rollout took {took}");
    store::add_step(db, id, &text).await?;
    events.push(Event { app, release: Some(version), text });
    fail_point::reach(Step::SwitchWritten);
    Ok(())
}

async fn fail(
    db: &mut Db,
    index: &Index<'_>,
    id: OperationId,
    reason: &str,
    events: &mut Vec<Event>,
) -> store::Result<()> {
    let Some((desired, operation)) = index.operations.get(&id) else { return Ok(()) };
    if !store::finish_operation(db, id, OperationState::Failed, Some(reason)).await? {
        return Ok(());
    }
    let (app, version) = (desired.app.id, operation.version);
    store::set_release_status(db, app, version, ReleaseStatus::Failed, Some(reason)).await?;
    let serving = match &desired.app.serving {
        Some(serving) => format!("{} goes on serving", serving.version),
        None => "nothing serves yet".to_owned(),
    };
    let text = format!("{version} failed: {reason}; {serving}");
    store::add_step(db, id, &text).await?;
    events.push(Event { app, release: Some(version), text });
    Ok(())
}
