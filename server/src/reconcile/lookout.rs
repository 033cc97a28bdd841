//! Looks which hosts were heard of and says what that means: `model::fleet` judges, this measures the times, writes losses
//! down, and takes hosts back that have come to rest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use model::fleet::{Fleet, Heard, SILENCE, judge};
use model::id::HostId;
use model::replica::Phase;
use model::wording;
use store::{DesiredApp, Host, HostState};
use tracing::{info, warn};

use super::desired::Publisher;
use crate::platform::Platform;
use crate::reports::Reports;

/// A look that comes later than this after it was due means that this server was asleep, not the hosts.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// Where the looking stands.
pub(super) struct Lookout {
    began: Instant,
    calm_since: Instant,
    due: Instant,
    last: Arc<Fleet>,
}

impl Lookout {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { began: now, calm_since: now, due: now, last: Arc::default() }
    }

    /// Says when the next look comes at the latest.
    pub(super) fn rest(&mut self, rest: Duration) {
        self.due = Instant::now() + rest;
    }

    /// Looks, and tells the log what is new.
    pub(super) fn look(&mut self, platform: &Platform, hosts: &[Host], reports: &Reports) -> Arc<Fleet> {
        let now = Instant::now();
        if now > self.due + OVERSLEPT {
            self.calm_since = now;
        }
        let heard: Vec<Heard> = hosts.iter().map(|host| self.heard(host, reports, now)).collect();
        // Agents in other servers call nobody; one that is not here any more is no sign that we are cut off.
        let calls = |host: &Host| !host.is_embedded() || host.id == platform.facts.here();
        let (callers, others): (Vec<_>, Vec<_>) = hosts.iter().zip(heard).partition(|(host, _)| calls(host));
        let callers: Vec<Heard> = callers.into_iter().map(|(_, heard)| heard).collect();
        let mut fleet = judge(&callers, now - self.calm_since, platform.options.host_grace);
        for (_, other) in others.into_iter().filter(|(_, other)| other.lost.is_none()) {
            if other.unheard >= SILENCE {
                fleet.silent.insert(other.host);
            }
            if other.unheard >= platform.options.host_grace && fleet.doubt.is_none() {
                fleet.lost.push(other.host);
            }
        }
        if fleet.doubt.is_some() {
            self.calm_since = now;
        }
        if hosts.iter().all(|host| host.id == platform.facts.here()) {
            fleet.next = None;
        }
        self.tell(&fleet, hosts);
        let is_news = (&fleet.silent, &fleet.doubt) != (&self.last.silent, &self.last.doubt);
        self.last = Arc::new(fleet);
        platform.outlook.set_fleet(self.last.clone());
        if is_news {
            platform.changed();
        }
        self.last.clone()
    }

    fn heard(&self, host: &Host, reports: &Reports, now: Instant) -> Heard {
        let at = reports.of(host.id).map_or(self.began, |heard| heard.at);
        let lost = (host.state == HostState::Lost).then(|| {
            let ago = Timestamp::now().duration_since(host.state_since);
            Duration::try_from(ago).unwrap_or_default()
        });
        Heard { host: host.id, unheard: now.saturating_duration_since(at), lost }
    }

    fn tell(&self, fleet: &Fleet, hosts: &[Host]) {
        let name = |id: &HostId| {
            hosts.iter().find(|host| host.id == *id).map_or_else(|| id.to_string(), |host| host.name.clone())
        };
        for id in fleet.silent.difference(&self.last.silent) {
            warn!("host {} is silent: no new request goes there until it is heard of", name(id));
        }
        for id in self.last.silent.difference(&fleet.silent).filter(|_| fleet.doubt.is_none()) {
            if hosts.iter().any(|host| host.id == *id && host.state != HostState::Lost) {
                info!("host {} is heard of again", name(id));
            }
        }
        match (&self.last.doubt, &fleet.doubt) {
            (None, Some(doubt)) => warn!("{doubt}"),
            (Some(_), None) => info!("enough hosts are heard of again; what is to be done is done again"),
            _ => {}
        }
    }
}

/// Declares hosts lost, for good: their replicas end as far as this platform is concerned, whatever they do.
pub(super) async fn declare_lost(platform: &Platform, fleet: &Fleet, hosts: &[Host]) -> anyhow::Result<bool> {
    if fleet.lost.is_empty() {
        return Ok(false);
    }
    let grace = wording::duration(platform.options.host_grace.try_into().unwrap_or_default());
    let reason = format!("nothing was heard of it for {grace}");
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(false) };
    let mut lost = Vec::new();
    for host in hosts.iter().filter(|host| fleet.lost.contains(&host.id)) {
        if store::lose_host(&mut tx, host.id, &reason).await? {
            lost.push(host);
        }
    }
    tx.commit().await?;
    for host in &lost {
        warn!("host {} is lost: {reason}; its replicas start elsewhere", host.name);
    }
    Ok(!lost.is_empty())
}

/// Takes lost hosts back that are heard of, know what they should run, and run nothing else any more.
pub(super) async fn take_back(
    platform: &Platform,
    publisher: &Publisher,
    (hosts, apps): (&[Host], &[DesiredApp]),
    reports: &Reports,
) -> anyhow::Result<bool> {
    let occupied: BTreeSet<HostId> =
        apps.iter().flat_map(|app| &app.replicas).map(|replica| replica.host_id).collect();
    let has_come_back = |host: &&Host| {
        let Some(heard) = reports.of(host.id) else { return false };
        let ended = heard.report.replicas.iter().all(|status| status.phase == Phase::Ended);
        host.state == HostState::Lost
            && heard.at.elapsed() < SILENCE
            && heard.report.order() >= publisher.order(host.id)
            && ended
            && !occupied.contains(&host.id)
    };
    let back: Vec<&Host> = hosts.iter().filter(has_come_back).collect();
    if back.is_empty() {
        return Ok(false);
    }
    let Some(mut tx) = platform.leadership.write(&platform.store).await? else { return Ok(false) };
    for host in &back {
        store::return_host(&mut tx, host.id, "it was lost and has come back").await?;
    }
    tx.commit().await?;
    back.iter().for_each(|host| info!("host {} has come back", host.name));
    Ok(true)
}
