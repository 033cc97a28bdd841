//! How each app is, in a glance: one state, one sentence. Decides from what is stored and what was observed.

use model::plan::ReplicaWish;
use model::replica::{Phase, ReplicaStatus};
use store::{AppOverview, Replica, Serving};

use super::words;
use crate::facts::Facts;
use crate::reconcile::reason;

/// How an app is. The ones to look at come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Something is wrong.
    Problem,
    /// A change is being brought about.
    Changing,
    /// All that is wanted is there.
    Healthy,
    /// Its visitors see the maintenance page.
    Maintenance,
    /// Nothing of it is wanted to run.
    Asleep,
    /// It was never deployed.
    New,
}

impl State {
    /// Returns the word shown, also the name of its style.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Changing => "changing",
            Self::Healthy => "healthy",
            Self::Maintenance => "maintenance",
            Self::Asleep => "asleep",
            Self::New => "new",
        }
    }
}

/// One app in a list.
pub(super) struct AppRow {
    pub(super) name: String,
    pub(super) state: State,
    /// What is wrong or going on.
    pub(super) sentence: Option<String>,
    pub(super) healthy: u32,
    pub(super) wanted: u32,
    pub(super) release: Option<String>,
    pub(super) description: String,
    pub(super) since: String,
}

/// Returns the rows of a list, problems first, then by name.
pub(super) fn rows(facts: &Facts, apps: &[AppOverview]) -> Vec<AppRow> {
    let mut rows: Vec<_> = apps.iter().map(|app| row(facts, app)).collect();
    rows.sort_by(|a, b| (a.state, &a.name).cmp(&(b.state, &b.name)));
    rows
}

/// Returns the row of one app.
pub(super) fn row(facts: &Facts, of: &AppOverview) -> AppRow {
    let statuses: Vec<_> = of
        .replicas
        .iter()
        .filter(|replica| serves(replica, of.app.serving))
        .map(|replica| (replica, facts.status(replica.host_id, replica.id)))
        .collect();
    let is_healthy =
        |status: &Option<ReplicaStatus>| status.as_ref().is_some_and(|status| status.phase == Phase::Healthy);
    let healthy = statuses.iter().filter(|(_, status)| is_healthy(status)).count();
    let wanted: u32 = of.formation.values().map(|scale| scale.quantity).sum();
    let healthy = u32::try_from(healthy).unwrap_or(u32::MAX);
    let trouble = statuses.iter().find_map(|(replica, status)| trouble(replica, status.as_ref()));
    let (state, sentence) = state(of, healthy, wanted, trouble);
    let release = of.release.as_ref();
    AppRow {
        name: of.app.name.to_string(),
        state,
        sentence,
        healthy,
        wanted,
        release: release.map(|release| release.version.to_string()),
        description: release.map(|release| release.description.clone()).unwrap_or_default(),
        since: words::ago(release.map_or(of.app.created_at, |release: &store::Release| release.created_at)),
    }
}

fn serves(replica: &Replica, serving: Option<Serving>) -> bool {
    let of = Serving { version: replica.version, generation: replica.generation };
    replica.wish == ReplicaWish::Run && serving == Some(of)
}

/// Returns what is wrong with a replica. One that has only just begun to start is not in trouble.
fn trouble(replica: &Replica, status: Option<&ReplicaStatus>) -> Option<String> {
    let status = status?;
    let ill = matches!(status.phase, Phase::Backoff | Phase::Unhealthy | Phase::Impossible);
    let why = || reason(status).unwrap_or_else(|| "is not well".to_owned());
    ill.then(|| format!("{} {}", replica.name(), why()))
}

fn state(of: &AppOverview, healthy: u32, wanted: u32, trouble: Option<String>) -> (State, Option<String>) {
    let operation = of.operation.as_ref();
    if let Some(operation) = operation {
        let what = format!("{} is being rolled out", operation.version);
        return (State::Changing, Some(what));
    }
    if trouble.is_some() {
        return (State::Problem, trouble);
    }
    if of.app.serving.is_none() {
        return (State::New, None);
    }
    if of.app.settings.maintenance {
        return (State::Maintenance, Some("visitors see the maintenance page".to_owned()));
    }
    if wanted == 0 {
        return (State::Asleep, Some("scaled to nothing".to_owned()));
    }
    if healthy < wanted {
        return (State::Changing, Some(format!("{healthy} of {wanted} replicas are healthy")));
    }
    (State::Healthy, None)
}
