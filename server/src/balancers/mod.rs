//! Visitors who come through load balancers: the witness of whether a replica is reached and of whether it is let go is then the
//! balancers' word and not this server's router. The turns of the entrance run beside the reconcile loop: it says what it wants,
//! hears what there is, and waits for neither. The control plane's own way in is kept here, too, by each server for itself, and the names in
//! DNS by the one that leads.

mod amend;
#[cfg(feature = "aws")]
mod aws;
mod door;
mod names;
mod run;
mod sentences;
mod wanted;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloud::entrance::{Balancers, DoorKeeper, Listed, Outcome, RecordKeeper, Wanted};
use jiff::Timestamp;
use model::entrance::TargetHealth;
use model::id::{AppId, ReplicaId};
use model::instances::InstanceId;
use tokio::sync::Notify;

use crate::fleet_source::FleetSource;
use crate::options::Options;

pub(crate) use amend::amend;
pub(crate) use door::run as keep_door;
pub(crate) use names::run as keep_names;
pub(crate) use run::run;
pub(crate) use wanted::{Hosts, publish};

/// What the reconcile loop wants of the entrance, and the entrance's last word.
#[derive(Default)]
pub struct Witness {
    state: Mutex<State>,
    /// Something else is wanted.
    wish: Notify,
}

#[derive(Default)]
struct State {
    wanted: Option<Arc<Wanted>>,
    outcome: Arc<Outcome>,
}

impl Witness {
    /// Returns the witness where hosts come from a cloud with load balancers.
    #[must_use]
    pub fn of(options: &Options) -> Option<Arc<Self>> {
        matches!(options.fleet, FleetSource::Aws(_)).then(Arc::default)
    }

    /// Tells whether visitors reach a replica.
    #[must_use]
    pub fn finds_healthy(&self, id: ReplicaId) -> bool {
        let state = self.lock();
        let word = state.outcome.words.get(&id).and_then(|word| word.health.as_ref());
        word == Some(&TargetHealth::Healthy)
    }

    /// Tells whether an instance has answered the balancers in this time; nothing if they do not say.
    #[must_use]
    pub fn has_answered(&self, instance: &InstanceId, within: Duration) -> Option<bool> {
        let answer = *self.lock().outcome.answers.get(instance)?;
        let age = Duration::try_from(Timestamp::now().duration_since(answer.at)).unwrap_or_default();
        (age < within).then_some(answer.answers)
    }

    /// Returns the strays that are targets, or finish with visitors; nothing as long as that is not known.
    #[must_use]
    pub fn visited(&self) -> Option<BTreeSet<InstanceId>> {
        self.lock().outcome.visited.clone()
    }

    /// Tells whether no balancer sends a replica that leaves anything any more.
    #[must_use]
    pub fn has_let_go(&self, id: ReplicaId) -> bool {
        self.lock().outcome.let_go.contains(&id)
    }

    /// Tells whether the targets of an app were listed since this server began to lead.
    #[must_use]
    pub fn knows(&self, app: AppId) -> bool {
        self.lock().outcome.listed.contains(&app)
    }

    /// Returns the name in DNS of the balancer that an app is on.
    #[must_use]
    pub fn address(&self, app: AppId) -> Option<String> {
        self.lock().outcome.addresses.get(&app).cloned()
    }

    /// Tells whether that balancer is known to speak TLS.
    #[must_use]
    pub fn speaks_tls(&self, app: AppId) -> bool {
        self.lock().outcome.tls.contains(&app)
    }

    /// Returns the balancers that there are; nothing as long as nobody has looked.
    #[must_use]
    pub fn balancers(&self) -> Option<Vec<Listed>> {
        self.lock().outcome.balancers.clone()
    }

    /// Returns why visitors do not reach a replica that its host finds healthy, as the predicate of a sentence.
    #[must_use]
    pub fn reason(&self, id: ReplicaId) -> Option<String> {
        let state = self.lock();
        sentences::of(state.wanted.as_deref()?, &state.outcome, id)
    }

    fn want(&self, wanted: Option<Wanted>) {
        let mut state = self.lock();
        match wanted {
            Some(wanted) => state.wanted = Some(Arc::new(wanted)),
            // Who decides no more knows nothing when it does so again.
            None => *state = State::default(),
        }
        drop(state);
        self.wish.notify_one();
    }

    fn wanted(&self) -> Option<Arc<Wanted>> {
        self.lock().wanted.clone()
    }

    /// Takes the outcome of a turn; tells whether it says anything new of replicas.
    fn take(&self, outcome: Outcome) -> bool {
        let mut state = self.lock();
        let health = |outcome: &Outcome| -> Vec<(ReplicaId, Option<TargetHealth>)> {
            outcome.words.iter().map(|(id, word)| (*id, word.health.clone())).collect()
        };
        let answers = |outcome: &Outcome| -> Vec<(InstanceId, bool)> {
            outcome.answers.iter().map(|(instance, answer)| (instance.clone(), answer.answers)).collect()
        };
        let before = &state.outcome;
        let is_news = health(before) != health(&outcome)
            || (&before.let_go, &before.listed) != (&outcome.let_go, &outcome.listed)
            || answers(before) != answers(&outcome);
        state.outcome = Arc::new(outcome);
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Load balancers that there is somebody to ask about.
pub(crate) struct Connected {
    /// What apps have there.
    balancers: Arc<dyn Balancers>,
    /// What the control plane has there.
    door: Arc<dyn DoorKeeper>,
    /// The names in DNS that lead there.
    names: Arc<dyn RecordKeeper>,
    /// The platform's name there.
    cluster: String,
}

/// Returns the balancers that the options name, if they name any.
///
/// # Errors
/// There is nobody to ask about them.
pub(crate) async fn connect(options: &Options) -> anyhow::Result<Option<Connected>> {
    match &options.fleet {
        FleetSource::None => Ok(None),
        #[cfg(feature = "aws")]
        FleetSource::Aws(name) => aws::connect(name, options).await.map(Some),
        #[cfg(not(feature = "aws"))]
        FleetSource::Aws(_) => Ok(None),
    }
}
