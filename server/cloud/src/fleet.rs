//! One turn of the fleet: look, decide, write down, do. A turn may be cut short anywhere; the next one goes on from what is
//! written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use model::cost::Prices;
use model::id::{HostId, LaunchId};
use model::instances::{
    Action, Alarm, Cause, Decision, Instance, InstanceId, Pool, Sizes, Stray, Tenant, View, Wish, asked_at,
    consequence, decide, decide_within, pause,
};
use store::{Db, FleetEvent, Launch, NewLaunch, Transaction, Vault};
use tracing::{info, warn};

use crate::calls;
use crate::causes::Causes;
use crate::ledger::{Ledger, dismiss, find_costs, find_dismissed};
use crate::provider::{Cloud, Order};
use crate::sight::Seen;

/// How many orders are under way at once.
const ORDERS: usize = 4;

/// How long what was done is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How often what is too old is forgotten.
const TIDY: SignedDuration = SignedDuration::from_hours(1);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// So many characters of the cloud's answer are told with what follows from it.
const CAUSE: usize = 300;

/// What is known of hosts and replicas when a turn begins.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The hosts.
    pub hosts: BTreeMap<HostId, Tenant>,
    /// Hosts that were told by the cloud that they are taken back.
    pub notices: BTreeSet<HostId>,
    /// Hosts that were told by the cloud that they are more likely than others to be taken back.
    pub risks: BTreeSet<HostId>,
    /// Hosts whose machines are due for maintenance, with how to say so.
    pub maintenance: BTreeMap<HostId, String>,
    /// Replicas that are wanted and have no place.
    pub waiting: Sizes,
    /// Strays that a load balancer has among its targets; nothing as long as that is not known.
    pub visited: Option<BTreeSet<InstanceId>>,
    /// Too few hosts are heard of.
    pub cut_off: bool,
}

/// What instances are made from now on.
pub trait Recipe: Send + Sync {
    /// Returns the image.
    fn image(&self) -> String;

    /// Returns what a machine reads when it boots, so that it joins with this secret.
    fn user_data(&self, secret: &str) -> String;
}

/// A turn that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The database.
    #[error("what should become of instances cannot be read or written")]
    Store(#[from] store::Error),
    /// What was sealed, or is to be.
    #[error("what an order says cannot be sealed or opened")]
    Vault(#[from] store::VaultError),
    /// No random numbers.
    #[error("there are no random numbers: {0}")]
    Random(getrandom::Error),
}

/// The hands of a fleet.
pub struct Fleet<L> {
    ledger: L,
    cloud: Arc<dyn Cloud>,
    vault: Arc<Vault>,
    recipe: Arc<dyn Recipe>,
    seen: Seen,
    /// Why the cloud did not say at the last turn which instances there are, if it did not.
    untold: Option<String>,
    causes: Causes,
    surplus_since: Option<Timestamp>,
    alarms: Vec<Alarm>,
    prices: Prices,
    tidied_at: Option<Timestamp>,
}

impl<L: Ledger> Fleet<L> {
    /// Makes the hands that write into a ledger and ask a cloud.
    #[must_use]
    pub fn new(ledger: L, cloud: Arc<dyn Cloud>, vault: Arc<Vault>, recipe: Arc<dyn Recipe>) -> Self {
        Self {
            ledger,
            cloud,
            vault,
            recipe,
            seen: Seen::default(),
            untold: None,
            causes: Causes::default(),
            surplus_since: None,
            alarms: Vec::new(),
            prices: Prices::built_in(),
            tidied_at: None,
        }
    }

    /// Takes a table of prices in place of the built-in one, to hold the platform's cap by.
    #[must_use]
    pub fn priced(self, prices: Prices) -> Self {
        Self { prices, ..self }
    }

    /// Returns what a person should know, as of the last turn.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// Returns the instances with the platform's mark that belong to no launch, as the cloud last said.
    #[must_use]
    pub fn strays(&self) -> BTreeSet<InstanceId> {
        self.seen.strays().keys().cloned().collect()
    }

    /// Takes one turn and returns what was decided. Without settings nothing is.
    ///
    /// # Errors
    /// A database that fails. What was decided until then is written down or undone, and never half of it.
    pub async fn turn(&mut self, around: &Surroundings, now: Timestamp) -> Result<Decision, FleetError> {
        let listed = calls::list(self.cloud.as_ref()).await;
        let mut db = self.ledger.read().await?;
        let Some(costs) = find_costs(&mut db).await? else { return Ok(Decision::default()) };
        let launches = store::list_launches(&mut db).await?;
        self.untold = match listed {
            Ok(list) => {
                self.seen.take(list, &launches, now);
                None
            }
            Err(error) => {
                warn!(error, "the cloud does not say which instances there are");
                Some(model::wording::plain(&error, CAUSE))
            }
        };
        let stray = |(id, since): (&InstanceId, &Timestamp)| {
            let visited = around.visited.as_ref().is_none_or(|visited| visited.contains(id));
            Stray { id: id.clone(), since: *since, visited }
        };
        let removed = removed(&mut db, &launches, around).await?;
        let view = View {
            settings: costs.settings.clone(),
            instances: self.instances(&launches, around, &removed),
            strays: self.seen.strays().iter().map(stray).collect(),
            dismissed: find_dismissed(&mut db, now - HOUR).await?,
            waiting: around.waiting.clone(),
            told_at: self.seen.told_at(),
            untold: self.untold.clone(),
            lacks: store::list_lacks(&mut db, now).await?,
            past: store::list_past_launches(&mut db, now - HOUR).await?,
            joined: store::last_joined(&mut db).await?,
            surplus_since: self.surplus_since,
            cut_off: around.cut_off,
            now,
        };
        drop(db);
        let decision = match costs.budget(launches.iter().map(|launch| &launch.pool), &self.prices) {
            Some(budget) => decide_within(&view, &budget),
            None => decide(&view),
        };
        let Some(tx) = self.ledger.write().await? else { return Ok(Decision::default()) };
        self.write(tx, &launches, &decision, now).await?;
        self.surplus_since = decision.surplus_since;
        self.alarms.clone_from(&decision.alarms);
        self.call(&launches, &decision, now).await?;
        Ok(decision)
    }

    fn instances(
        &self,
        launches: &[Launch],
        around: &Surroundings,
        removed: &BTreeSet<HostId>,
    ) -> Vec<Instance> {
        let image = self.recipe.image();
        let instance = |launch: &Launch| {
            let (seen, notice) = self.seen.of(launch.id);
            let noticed = launch.host.is_some_and(|host| around.notices.contains(&host));
            let old = || format!("its image is {}, and the present one is {image}", launch.image);
            let maintenance = launch.host.and_then(|host| around.maintenance.get(&host).cloned());
            Some(Instance {
                launch: launch.id,
                pool: launch.pool.clone(),
                decided_at: launch.decided_at,
                asked_at: asked_at(launch.attempts, launch.ask_at),
                ask_at: launch.ask_at,
                id: launch.instance.clone(),
                wish: launch.wish?,
                seen,
                host: launch.host.and_then(|host| around.hosts.get(&host).cloned()),
                removed: launch.host.is_some_and(|host| removed.contains(&host)),
                says: self.seen.says(launch.id),
                notice: notice || noticed,
                risk: launch.host.is_some_and(|host| around.risks.contains(&host)),
                due: maintenance.is_some(),
                stale: maintenance.or_else(|| (launch.image != image).then(old)),
            })
        };
        launches.iter().filter_map(instance).collect()
    }

    /// Writes down what was decided, all of it or nothing.
    async fn write(
        &mut self,
        mut tx: Transaction,
        launches: &[Launch],
        decision: &Decision,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        for (launch, instance) in self.seen.new_among(launches) {
            store::set_launch_instance(&mut tx, launch, instance, Some(now)).await?;
        }
        for action in &decision.actions {
            self.write_one(&mut tx, launches, action, now).await?;
        }
        let mut causes = self.causes.clone();
        let of_list = |alarm: &Alarm| self.untold.as_ref().is_some_and(|why| alarm.says.contains(why));
        let changed = decision.alarms.iter().any(of_list)
            && self.untold.as_ref().is_some_and(|why| causes.is_news("list", why, now));
        let is_news = |alarm: &&Alarm| !self.knows(alarm) || (changed && of_list(alarm));
        for alarm in decision.alarms.iter().filter(is_news) {
            warn!(about = alarm.about, "{}", alarm.says);
            tell(&mut tx, &alarm.about, &alarm.says, now).await?;
        }
        let due = self.tidied_at.is_none_or(|at| now.duration_since(at) >= TIDY);
        if due {
            store::forget_lacks(&mut tx, now).await?;
            store::forget_launches(&mut tx, now - KEPT).await?;
            store::forget_fleet_events(&mut tx, now - KEPT).await?;
        }
        tx.commit().await?;
        self.causes = causes;
        if due {
            self.tidied_at = Some(now);
        }
        Ok(())
    }

    fn knows(&self, alarm: &Alarm) -> bool {
        self.alarms.iter().any(|known| known.about == alarm.about)
    }

    async fn write_one(
        &self,
        tx: &mut Transaction,
        launches: &[Launch],
        action: &Action,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let host =
            |id: &LaunchId| launches.iter().find(|launch| launch.id == *id).and_then(|launch| launch.host);
        match action {
            Action::Launch { pool, why } => {
                let launch = self.order(tx, pool, why, now).await?;
                tell(tx, &format!("launch {launch}"), &format!("{pool} is asked for: {why}"), now).await?;
            }
            Action::Adopt(launch, id) => store::set_launch_instance(tx, *launch, id, Some(now)).await?,
            Action::Drain { launch, cause, why } => {
                store::set_launch_wish(tx, *launch, Wish::Drain { since: now, cause: *cause }).await?;
                if let Some(host) = host(launch) {
                    store::set_host_drained(tx, host, true, Some(why)).await?;
                }
                tell(tx, &name(launches, *launch), &format!("its replicas move elsewhere: {why}"), now)
                    .await?;
            }
            Action::Resume { launch, why } => {
                store::set_launch_wish(tx, *launch, Wish::Run).await?;
                if let Some(host) = host(launch) {
                    store::set_host_drained(tx, host, false, None).await?;
                }
                tell(tx, &name(launches, *launch), &format!("it stays: {why}"), now).await?;
            }
            Action::End { launch, cause, why } => {
                store::set_launch_wish(tx, *launch, Wish::End { since: now, cause: *cause }).await?;
                tell(tx, &name(launches, *launch), &format!("it is ended: {why}"), now).await?;
            }
            Action::Forget { launch, cause, why } => {
                store::end_launch(tx, *launch, *cause, now).await?;
                if let Some(host) = host(launch) {
                    store::remove_host(tx, host, why).await?;
                }
                tell(tx, &name(launches, *launch), &format!("it is no more: {why}"), now).await?;
            }
            Action::Avoid(lack) => store::remember_lack(tx, lack).await?,
            // That it was asked for is known before it is: whatever the answer is, it may not be the first.
            Action::Ask(id) => {
                let attempts =
                    launches.iter().find(|launch| launch.id == *id).map_or(0, |launch| launch.attempts);
                store::set_launch_asked(tx, *id, now + pause(attempts)).await?;
            }
            Action::Dismiss { id, why } => {
                dismiss(tx, id, now, now - HOUR).await?;
                tell(tx, id.as_str(), &format!("it is ended: {why}"), now).await?;
            }
            Action::Terminate { .. } => {}
        }
        Ok(())
    }

    async fn order(
        &self,
        tx: &mut Transaction,
        pool: &Pool,
        why: &str,
        now: Timestamp,
    ) -> Result<LaunchId, FleetError> {
        let id = LaunchId::new();
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(FleetError::Random)?;
        let nonce = hex::encode(random);
        let sealed = self.vault.seal(&sealed_for(id), self.recipe.user_data(&nonce).as_bytes())?;
        let new = NewLaunch {
            id,
            pool,
            image: &self.recipe.image(),
            sealed_user_data: &sealed,
            nonce: &nonce,
            reason: why,
            at: now,
        };
        store::create_launch(tx, new).await?;
        Ok(id)
    }

    /// Asks the cloud for what was written down before.
    async fn call(
        &mut self,
        launches: &[Launch],
        decision: &Decision,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let mut orders = Vec::new();
        let mut ended: Vec<InstanceId> = Vec::new();
        for action in &decision.actions {
            match action {
                Action::Ask(id) => orders.extend(launches.iter().find(|launch| launch.id == *id)),
                Action::Terminate { id, .. } => ended.push(id.clone()),
                _ => {}
            }
        }
        if !ended.is_empty() {
            self.terminate(&ended, now).await?;
        }
        let asks: Vec<BoxFuture<'_, Result<(), FleetError>>> =
            orders.into_iter().map(|launch| self.ask(launch, now).boxed()).collect();
        let asked = futures::stream::iter(asks).buffer_unordered(ORDERS);
        asked.fold(Ok(()), |all, one| std::future::ready(all.and(one))).await
    }

    /// Ends instances at the cloud. Why that fails is told; it is asked for again at the next turn.
    async fn terminate(&mut self, ids: &[InstanceId], now: Timestamp) -> Result<(), FleetError> {
        let Err(error) = calls::terminate(self.cloud.as_ref(), ids).await else { return Ok(()) };
        warn!(error, "instances that should end may go on for now");
        if !self.causes.is_news("end", &error, now) {
            return Ok(());
        }
        let Some(mut tx) = self.ledger.write().await? else { return Ok(()) };
        let (about, what) = match ids {
            [] => return Ok(()),
            [one] => (one, "it should end".to_owned()),
            [first, more @ ..] => (first, format!("it and {} more should end", more.len())),
        };
        tell(&mut tx, about.as_str(), &format!("{what}, and the cloud does not do so: {error}"), now).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn ask(&self, launch: &Launch, now: Timestamp) -> Result<(), FleetError> {
        let user_data = self.vault.open(&sealed_for(launch.id), &launch.sealed_user_data)?;
        let order = Order {
            launch: launch.id,
            pool: launch.pool.clone(),
            image: launch.image.clone(),
            user_data: String::from_utf8_lossy(&user_data).into_owned(),
        };
        let answer = calls::launch(self.cloud.as_ref(), &order).await;
        let Some(mut tx) = self.ledger.write().await? else { return Ok(()) };
        match answer {
            Ok(instance) => {
                store::set_launch_instance(&mut tx, launch.id, &instance, None).await?;
                info!(%instance, launch = %launch.id, "the cloud gave an instance, {}", launch.pool);
                tell(&mut tx, instance.as_str(), &format!("the cloud gave it: {}", launch.pool), now).await?;
            }
            Err(refused) => {
                let after = consequence(refused.refusal, &launch.pool, launch.attempts, &refused.says, now);
                if let Some(lack) = &after.lack {
                    store::remember_lack(&mut tx, lack).await?;
                }
                if after.over {
                    store::end_launch(&mut tx, launch.id, Cause::Refused, now).await?;
                }
                let says = format!("the cloud gave no {}: {}", launch.pool, refused.says);
                tell(&mut tx, &format!("launch {}", launch.id), &says, now).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Returns the hosts of launches that were removed. One that joined after the surroundings were looked at is none of them.
async fn removed(
    db: &mut Db,
    launches: &[Launch],
    around: &Surroundings,
) -> Result<BTreeSet<HostId>, FleetError> {
    let mut removed = BTreeSet::new();
    for host in launches.iter().filter_map(|launch| launch.host) {
        if !around.hosts.contains_key(&host) && store::find_host(db, host).await?.is_none() {
            removed.insert(host);
        }
    }
    Ok(removed)
}

fn sealed_for(launch: LaunchId) -> String {
    format!("launch/{launch}")
}

fn name(launches: &[Launch], id: LaunchId) -> String {
    let instance = launches.iter().find(|launch| launch.id == id).and_then(|launch| launch.instance.clone());
    instance.map_or_else(|| format!("launch {id}"), |instance| instance.to_string())
}

async fn tell(tx: &mut Transaction, about: &str, message: &str, at: Timestamp) -> store::Result<()> {
    let message = model::wording::plain(message, 500);
    store::add_fleet_event(tx, &FleetEvent { at, about: about.to_owned(), message }).await
}
