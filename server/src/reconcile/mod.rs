//! The loop that makes wishes come true. It takes no input: each turn reads wishes and facts afresh, publishes what
//! follows from them to the agent and the router, asks the plan what to do next, and does it.

mod act;
mod desired;
mod entrance;
mod lookout;
mod moment;
mod progress;
mod reader;
mod rotation;
mod strays;
mod table;
mod unreadable;
mod watch;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use model::id::ReplicaId;
use model::plan::{Action, ReplicaWish, plan};
use router::Routes;
use store::{DesiredApp, Operation, Replica, Serving};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::balancers;
use crate::platform::Platform;
use desired::Publisher;
use entrance::Entrance;
use lookout::Lookout;
use progress::Progress;
use reader::{Reader, Reading};
use table::Table;
use unreadable::Unreadable;

/// How long the loop rests when nothing wakes it: deadlines are kept to within this.
const PERIOD: Duration = Duration::from_secs(1);

/// How long it rests while nothing changes and nothing is watched: every wish and every report wakes it.
const WHILE_QUIET: Duration = Duration::from_secs(15);

/// The same where what others write is to be heard of: what was not is found by then.
const WHILE_SHARED: Duration = Duration::from_secs(3);

/// How long a turn may take; after that the database is taken for one that does not answer.
const TURN: Duration = Duration::from_secs(60);

/// While news keep coming, it rests as long as a turn takes, so that it is at it half of the time at most; but never longer.
const BREATH: Duration = Duration::from_millis(50);

/// How long it rests while replicas drain, since the router's counts wake nobody.
const WHILE_DRAINING: Duration = Duration::from_millis(100);

/// Turns without a rest after which something must be wrong with the plan.
const TURNS_MAX: u32 = 1_000;

/// What the loop needs beside the platform.
pub struct Reconciler {
    platform: Arc<Platform>,
    reader: Reader,
    publisher: Publisher,
    lookout: Lookout,
    table: Table,
    entrance: Entrance,
    progress: Progress,
    unreadable: Unreadable,
    /// It decided for all hosts in the last turn.
    led: bool,
}

/// What came of a turn.
struct Turn {
    /// Something was done; there may be more to do at once.
    acted: bool,
    /// Replicas are leaving.
    draining: bool,
    /// Nothing is under way that time alone could change.
    quiet: bool,
    /// When a host may fall silent, if there are others than this one.
    next: Option<Duration>,
}

impl Reconciler {
    /// Makes the loop for the replicas of all hosts.
    #[must_use]
    pub fn new(platform: Arc<Platform>, routes: Arc<ArcSwap<Routes>>, entrance: Entrance) -> Self {
        let table = Table::new(routes, &platform.options.dir("secret-key"));
        Self {
            platform,
            reader: Reader::default(),
            publisher: Publisher::default(),
            lookout: Lookout::new(),
            table,
            entrance,
            progress: Progress::default(),
            unreadable: Unreadable::default(),
            led: false,
        }
    }

    /// Publishes the table of what runs already, so that a router that starts knows every app from its first request on.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn publish_first_table(&mut self) -> anyhow::Result<()> {
        let Reading { rows, .. } = self.read().await?;
        let (hosts, apps) = (&rows.hosts, &rows.apps);
        let facts = &self.platform.facts;
        let reports = facts.reports();
        let fleet = self.lookout.look(&self.platform, (hosts, &rows.instances), &reports);
        let world = world::world(facts, &reports, &self.publisher, (hosts, apps), &fleet);
        self.table.publish(&self.platform, (hosts, apps), &world);
        Ok(())
    }

    /// Runs until it is told to stop. Cutting a turn short is safe: the next process plans again.
    pub async fn run(mut self, stop: CancellationToken) {
        let platform = self.platform.clone();
        let mut news = platform.facts.news();
        let turns = async {
            let mut in_a_row = 0;
            loop {
                let began = Instant::now();
                let turn = tokio::time::timeout(TURN, self.turn()).await;
                let rest = match turn.unwrap_or_else(|_| Err(anyhow!("the database does not answer"))) {
                    Ok(turn) if turn.acted && in_a_row < TURNS_MAX => {
                        in_a_row += 1;
                        self.lookout.rest(Duration::ZERO);
                        continue;
                    }
                    Ok(turn) if turn.draining => WHILE_DRAINING,
                    Ok(turn) if turn.quiet => {
                        let most = if platform.store.is_shared() { WHILE_SHARED } else { WHILE_QUIET };
                        turn.next.map_or(most, |next| next.min(most))
                    }
                    Ok(turn) => {
                        if turn.acted {
                            error!("the plan does not come to rest");
                        }
                        PERIOD
                    }
                    Err(error) => {
                        warn!(error = format!("{error:#}"), "reconcile will try again");
                        PERIOD
                    }
                };
                in_a_row = 0;
                self.lookout.rest(rest);
                let breath = began.elapsed().min(BREATH);
                let heard = async {
                    tokio::time::sleep(breath).await;
                    news.next().await
                };
                tokio::select! {
                    () = platform.signals.reconcile.notified() => {}
                    heard = heard => {
                        if heard.is_err() {
                            error!("the agent has ended");
                            return;
                        }
                    }
                    () = tokio::time::sleep(rest) => {}
                }
            }
        };
        stop.run_until_cancelled(turns).await;
    }

    async fn turn(&mut self) -> anyhow::Result<Turn> {
        let Reading { moment, rows, is_new } = self.read().await?;
        if moment.leads && strays::take_in(&self.platform, &rows).await? {
            return Ok(Turn { acted: true, draining: false, quiet: false, next: None });
        }
        let (hosts, apps) = (&rows.hosts, &rows.apps);
        self.platform.facts.keep(&wishes(apps));
        if self.led && !moment.leads {
            self.platform.wishes.withdraw();
            self.publisher = Publisher::default();
        }
        // A server that does not lead repeats itself, too.
        if is_new || !moment.leads || !self.led {
            self.publisher.publish(&self.platform, moment, &rows);
        }
        self.led = moment.leads;
        let reports = self.platform.facts.reports();
        let fleet = self.lookout.look(&self.platform, (hosts, &rows.instances), &reports);
        let facts = &self.platform.facts;
        let observe = || world::world(facts, &reports, &self.publisher, (hosts, apps), &fleet);
        facts.routers.begin(moment.turn());
        self.table.publish(&self.platform, (hosts, apps), &observe());
        facts.routers.publish();
        if let Some(witness) = facts.witness() {
            let (instances, strays) = (&rows.instances, self.platform.outlook.strays());
            let known =
                balancers::Hosts { hosts, instances, reports: &reports, fleet: &fleet, strays: &strays };
            let known = moment.leads.then_some(&known);
            balancers::publish(witness, &self.platform.options.domain, (apps, &observe()), known);
        }
        if !moment.leads {
            // Whoever asks this server is told the same reasons.
            if self.platform.outlook.set_waiting(plan(&observe(), Timestamp::now()).waiting) {
                self.platform.changed();
            }
            return Ok(Turn { acted: false, draining: false, quiet: true, next: fleet.next });
        }
        // Requests in flight count from after the table was replaced: a replica that left it gets no new ones.
        let world = observe();

        let told = self.progress.tell(&self.platform, apps, &world).await?;
        self.unreadable.tell(&self.platform, apps);
        let mut plan = plan(&world, Timestamp::now());
        unreadable::amend(apps, &mut plan.actions);
        if let Some(witness) = facts.witness() {
            balancers::amend(witness, &world, &mut plan.actions);
        }
        if fleet.doubt.is_some() {
            plan.actions.clear();
        }
        // Who is told that a release serves must be answered by it: the table is replaced before that is said.
        if let Some(apps) = switched(apps, &plan.actions) {
            let world = world::world(facts, &reports, &self.publisher, (hosts, &apps), &fleet);
            self.table.publish(&self.platform, (hosts, &apps), &world);
        }
        let quiet = plan.actions.is_empty() && fleet.doubt.is_none() && apps.iter().all(is_at_rest);
        // Before those that got a place are on it: whoever counts both must not count one twice, and have a host started for it.
        let others_wait = self.platform.outlook.set_waiting(plan.waiting);
        let mut acted = act::carry_out(&self.platform, &self.entrance, (apps, &world), plan.actions).await;
        acted |= lookout::declare_lost(&self.platform, &fleet, hosts).await?;
        acted |= lookout::take_back(&self.platform, &self.publisher, (hosts, apps), &reports).await?;
        if others_wait || acted || told {
            self.platform.changed();
        }
        let draining = apps.iter().flat_map(|app| &app.replicas);
        // Load balancers wake the loop when they have let one go.
        let draining = facts.witness().is_none()
            && draining.into_iter().any(|r| matches!(r.wish, ReplicaWish::Drain { .. }));
        Ok(Turn { acted, draining, quiet, next: fleet.next })
    }

    async fn read(&mut self) -> anyhow::Result<Reading> {
        let Platform { store, vault, leadership, agents, .. } = &*self.platform;
        let reading = self.reader.read(store, vault, leadership).await?;
        agents.know(reading.is_new.then_some(&reading.rows.hosts[..]));
        Ok(reading)
    }
}

/// Tells whether nothing of the app has a deadline.
fn is_at_rest(app: &DesiredApp) -> bool {
    let stays = |replica: &Replica| replica.wish == ReplicaWish::Run && !replica.replace;
    app.operation.is_none() && app.watch.is_none() && app.replicas.iter().all(stays)
}

/// Returns the replicas that exist as wishes.
fn wishes(apps: &[DesiredApp]) -> BTreeSet<ReplicaId> {
    apps.iter().flat_map(|app| &app.replicas).map(|replica| replica.id).collect()
}

/// Returns the apps as they will be once the plan's switches are stored, if it has any.
fn switched(apps: &[DesiredApp], actions: &[Action]) -> Option<Vec<DesiredApp>> {
    let switches = |app: &DesiredApp| {
        app.operation.as_ref().is_some_and(|operation| actions.contains(&Action::Switch(operation.id)))
    };
    if !apps.iter().any(switches) {
        return None;
    }
    let mut apps = apps.to_vec();
    for app in apps.iter_mut().filter(|app| switches(app)) {
        if let Some(Operation { version, generation, .. }) = app.operation.take() {
            app.app.serving = Some(Serving { version, generation });
        }
    }
    Some(apps)
}

pub use entrance::Entrance as RouterEntrance;
pub(crate) use world::{host_view, reason};
