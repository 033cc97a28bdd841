//! Hosts that are a cloud's instances: the loop that looks, has `cloud::Fleet` decide and act, and tells the rest of the server
//! what came of it. One server does it, the one that leads.

mod around;
mod beginning;
mod book;
mod doing;
mod ground;
mod recipe;
mod unfound;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cloud::{Causes, Cloud, Fleet};
use fleet::Told;
use jiff::Timestamp;
use model::id::HostId;
use model::instances::{Action, Decision, Sizes};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::options::Options;
use crate::platform::Platform;
use around::around;
use book::Book;
pub(crate) use doing::{Doing, list};
use recipe::HostRecipe;
pub(crate) use recipe::own_address;

/// How long the loop rests while every instance is as it should be. What the cloud says must not get older than two minutes.
const PERIOD: Duration = Duration::from_secs(20);

/// How long while one comes or goes.
const WHILE_BUSY: Duration = Duration::from_secs(4);

/// How long after an order was written down, for which the next turn asks; and the shortest rest of all.
const AT_ONCE: Duration = Duration::from_millis(500);

/// How long one turn may take. Each call has a limit of its own; this is for a database that hangs.
const TURN: Duration = Duration::from_secs(180);

/// How long it may take to find what was set up.
const SITE: Duration = Duration::from_secs(60);

/// Returns the cloud that hosts come from, if they come from one. Nothing is asked of it yet.
///
/// # Errors
/// No region is named anywhere, or no address is known at which hosts reach this server.
#[cfg(feature = "aws")]
pub(crate) async fn open(options: &Options) -> anyhow::Result<Option<Arc<dyn Cloud>>> {
    let crate::fleet_source::FleetSource::Aws(name) = &options.fleet else { return Ok(None) };
    let clients = anyhow::Context::context(aws::Clients::of(&aws::Place::default()).await, "--fleet aws")?;
    let ec2 = aws::fleet::Ec2::new(clients, name.clone(), options.aws_subnets.clone());
    Ok(Some(Arc::new(ec2)))
}

/// Returns no cloud: none is compiled in, and [`FleetSource::of`](crate::fleet_source::FleetSource) has refused to be asked for one.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with a cloud it is looked for")]
pub(crate) async fn open(_: &Options) -> anyhow::Result<Option<Arc<dyn Cloud>>> {
    Ok(None)
}

/// Sees to the instances until it is told to stop. Cutting a turn short is safe: the next one goes on from what is written down.
pub(crate) async fn run(platform: Arc<Platform>, stop: CancellationToken) {
    let Some(cloud) = platform.cloud.clone() else { return stop.cancelled().await };
    platform.outlook.set_instances(Some("waits for an instance".to_owned()));
    let keeping = async {
        loop {
            platform.leadership.led().await;
            // What an earlier term has seen of the cloud is too old by now.
            Keeper::new(&platform, &cloud).keep().await;
        }
    };
    stop.run_until_cancelled(keeping).await;
}

/// Who sees to the instances for as long as this server leads.
struct Keeper<'a> {
    platform: &'a Arc<Platform>,
    cloud: &'a Arc<dyn Cloud>,
    recipe: Arc<HostRecipe>,
    fleet: Fleet<Book>,
    /// The site was found, and what was found last serves while it is not found again.
    knows_site: bool,
    /// Why it was not, as people were told.
    causes: Causes,
}

impl<'a> Keeper<'a> {
    fn new(platform: &'a Arc<Platform>, cloud: &'a Arc<dyn Cloud>) -> Self {
        let recipe = Arc::new(HostRecipe::of(platform));
        let (book, vault) = (Book(Arc::clone(platform)), Arc::clone(&platform.vault));
        let fleet = Fleet::new(book, Arc::clone(cloud), vault, Arc::clone(&recipe) as _)
            .priced(platform.options.prices.clone());
        Self { platform, cloud, recipe, fleet, knows_site: false, causes: Causes::default() }
    }

    async fn keep(&mut self) {
        let mut changes = self.platform.changes();
        while self.platform.leadership.term().is_some() {
            let known = pressing(self.platform);
            let turn = tokio::time::timeout(TURN, self.turn()).await;
            let rest = turn.unwrap_or_else(|_| Err(anyhow::anyhow!("the database does not answer")));
            let rest = rest.unwrap_or_else(|error| {
                warn!(error = format!("{error:#}"), "instances are seen to again in a moment");
                PERIOD
            });
            let news = async {
                while pressing(self.platform) == known {
                    changes.signalled().await;
                }
            };
            tokio::time::sleep(AT_ONCE.min(rest)).await;
            tokio::select! {
                () = news => {}
                () = tokio::time::sleep(rest.saturating_sub(AT_ONCE)) => {}
            }
        }
    }

    /// Takes one turn. Returns how long to rest after it.
    async fn turn(&mut self) -> anyhow::Result<Duration> {
        self.learn_site().await?;
        let now = Timestamp::now();
        let around = around(self.platform, now).await?;
        let decision = self.fleet.turn(&around, now).await?;
        self.platform.outlook.set_strays(self.fleet.strays());
        let doing = doing::list(&mut *self.platform.store.read().await?).await?;
        self.platform.outlook.set_instances(Some(doing::told(&doing, self.fleet.alarms())));
        self.forget(&decision, &around.hosts.into_keys().collect()).await?;
        if !decision.actions.is_empty() {
            self.platform.wished();
        }
        let ordered = decision.actions.iter().any(|action| matches!(action, Action::Launch { .. }));
        Ok(match () {
            () if ordered => AT_ONCE,
            () if doing.iter().all(Doing::is_settled) => PERIOD,
            () => WHILE_BUSY,
        })
    }

    /// Finds what is prepared for hosts, and decides how many there should be if nobody has.
    async fn learn_site(&mut self) -> anyhow::Result<()> {
        let found = tokio::time::timeout(SITE, self.cloud.site()).await;
        let site = match found.unwrap_or_else(|_| Err("the cloud does not answer".to_owned())) {
            Ok(site) => site,
            Err(error) => {
                unfound::tell(self.platform, &mut self.causes, self.knows_site, &error).await;
                anyhow::ensure!(self.knows_site, "what was set up for hosts is not found: {error}");
                warn!(error, "what was set up for hosts cannot be looked at; it is taken for unchanged");
                return Ok(());
            }
        };
        if !self.knows_site {
            info!("hosts are instances in {}: {}", site.region, site.zones.join(", "));
        }
        beginning::settle(self.platform, &site).await?;
        ground::note(self.platform, &site).await?;
        self.recipe.set_image(site.image);
        self.knows_site = true;
        Ok(())
    }

    /// Forgets hosts that are removed with their instances: their certificates open nothing from now on.
    async fn forget(&self, decision: &Decision, before: &BTreeSet<HostId>) -> anyhow::Result<()> {
        if !decision.actions.iter().any(|action| matches!(action, Action::Forget { .. })) {
            return Ok(());
        }
        let hosts = store::list_hosts(&mut *self.platform.store.read().await?).await?;
        let left: BTreeSet<HostId> = hosts.iter().map(|host| host.id).collect();
        for gone in before.difference(&left) {
            self.platform.agents.forget(*gone);
            self.platform.facts.forget(*gone);
            self.platform.wishes.forget(*gone);
        }
        Ok(())
    }
}

/// Returns what does not wait for the next turn: replicas that have no place, and what hosts were told by the cloud.
fn pressing(platform: &Platform) -> (Sizes, BTreeMap<HostId, Told>) {
    (waiting(platform), platform.facts.notices.all())
}

/// Returns the sizes of all replicas that have no place.
fn waiting(platform: &Platform) -> Sizes {
    platform.outlook.all_waiting().iter().map(|waiting| waiting.size).collect()
}
