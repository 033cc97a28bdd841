//! Looks which hosts were heard of and says what that means: `model::fleet` judges, this measures the times, writes losses
//! down, and takes hosts back that have come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use model::fleet::{Fleet, Heard, SILENCE, judge};
use model::id::HostId;
use model::instances::InstanceId;
use model::replica::Phase;
use model::wording;
use store::{DesiredApp, Host, HostState};
use tracing::{info, warn};

use super::desired::Publisher;
use crate::platform::Platform;
use crate::reports::Reports;

/// A look that comes later than this after it was due means that this server was asleep, not the hosts.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// How long a machine that joined may take until it calls for the first time: its agent first looks through what an earlier one
/// left. Until then nothing runs on it, and that nothing is heard of it is no sign of anything.
const ARRIVES: SignedDuration = SignedDuration::from_secs(60);

/// Since when each host is known here. One that has joined just now has not had the time to call.
#[derive(Default)]
struct Awaited(BTreeMap<HostId, Instant>);

impl Awaited {
    /// Takes note of those that are new, and forgets those that are no more.
    fn know(&mut self, hosts: impl Iterator<Item = HostId>, now: Instant) {
        let before = std::mem::take(&mut self.0);
        self.0 = hosts.map(|host| (host, before.get(&host).copied().unwrap_or(now))).collect();
    }

    /// Returns how long ago a host was heard of; since it is known, if never.
    fn unheard(&self, host: HostId, heard: Option<Instant>, now: Instant) -> Duration {
        let since = heard.or_else(|| self.0.get(&host).copied()).unwrap_or(now);
        now.saturating_duration_since(since)
    }
}

/// Where the looking stands.
pub(super) struct Lookout {
    awaited: Awaited,
    calm_since: Instant,
    due: Instant,
    last: Arc<Fleet>,
}

impl Lookout {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { awaited: Awaited::default(), calm_since: now, due: now, last: Arc::default() }
    }

    /// Says when the next look comes at the latest.
    pub(super) fn rest(&mut self, rest: Duration) {
        self.due = Instant::now() + rest;
    }

    /// Looks, and tells the log what is new.
    pub(super) fn look(
        &mut self,
        platform: &Platform,
        (hosts, instances): (&[Host], &BTreeMap<HostId, InstanceId>),
        reports: &Reports,
    ) -> Arc<Fleet> {
        let now = Instant::now();
        if now > self.due + OVERSLEPT {
            self.calm_since = now;
        }
        self.awaited.know(hosts.iter().map(|host| host.id), now);
        let clock = Timestamp::now();
        let (arriving, hosts): (Vec<&Host>, Vec<&Host>) =
            hosts.iter().partition(|host| reports.of(host.id).is_none() && is_new(host, clock));
        let answers = |heard: &Heard<'_>| match (platform.facts.witness()?, heard.lost) {
            (_, Some(_)) => Some(false),
            (witness, None) => witness.has_answered(instances.get(&heard.host)?, heard.unheard),
        };
        let heard = hosts.iter().map(|host| self.heard(host, reports, now));
        let heard: Vec<Heard<'_>> = heard.map(|heard| Heard { answers: answers(&heard), ..heard }).collect();
        // Agents in other servers call nobody; one that is not here any more is no sign that we are cut off.
        let calls = |host: &Host| !host.is_embedded() || host.id == platform.facts.here();
        let (callers, others): (Vec<_>, Vec<_>) = hosts.iter().zip(heard).partition(|(host, _)| calls(host));
        let callers: Vec<Heard<'_>> = callers.into_iter().map(|(_, heard)| heard).collect();
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
        let have_arrived = arriving.iter().map(|host| ARRIVES - clock.duration_since(host.created_at));
        let have_arrived = have_arrived.filter_map(|rest| Duration::try_from(rest).ok());
        fleet.next = fleet.next.into_iter().chain(have_arrived).min();
        self.tell(&fleet, &hosts);
        let is_news = (&fleet.silent, &fleet.doubt) != (&self.last.silent, &self.last.doubt);
        self.last = Arc::new(fleet);
        platform.outlook.set_fleet(self.last.clone());
        if is_news {
            platform.changed();
        }
        self.last.clone()
    }

    fn heard<'a>(&self, host: &'a Host, reports: &Reports, now: Instant) -> Heard<'a> {
        let unheard = self.awaited.unheard(host.id, reports.of(host.id).map(|heard| heard.at), now);
        let lost = (host.state == HostState::Lost).then(|| {
            let ago = Timestamp::now().duration_since(host.state_since);
            Duration::try_from(ago).unwrap_or_default()
        });
        Heard {
            host: host.id,
            zone: (!host.is_embedded()).then_some(host.zone.as_str()),
            unheard,
            lost,
            answers: None,
        }
    }

    fn tell(&self, fleet: &Fleet, hosts: &[&Host]) {
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

/// Tells whether a machine joined a moment ago.
fn is_new(host: &Host, now: Timestamp) -> bool {
    (SignedDuration::ZERO..ARRIVES).contains(&now.duration_since(host.created_at)) && !host.is_embedded()
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

#[cfg(test)]
mod tests {
    use model::fleet::GRACE;

    use super::*;

    #[test]
    fn one_that_joins_late_has_as_long_to_call_as_those_that_were_there_at_the_start() {
        let (first, late, began) = (HostId::new(), HostId::new(), Instant::now());
        let (mut awaited, hour) = (Awaited::default(), Duration::from_secs(3600));
        awaited.know([first].into_iter(), began);
        let judged = |awaited: &Awaited, now: Instant| {
            let heard = [(first, Some(now)), (late, None)];
            let heard = heard.map(|(host, at)| {
                let unheard = awaited.unheard(host, at, now);
                Heard { host, zone: Some("a"), unheard, lost: None, answers: None }
            });
            judge(&heard, hour, GRACE)
        };
        let joined = began + hour;
        for now in [joined, joined + SILENCE - Duration::from_millis(1)] {
            awaited.know([first, late].into_iter(), now);
            assert_eq!(judged(&awaited, now).silent, BTreeSet::new());
        }
        assert_eq!(judged(&awaited, joined + SILENCE).silent, [late].into());
        assert_eq!(judged(&awaited, joined + GRACE).lost, [late]);
        // Another that comes with the same identity after this one has gone begins anew.
        awaited.know([first].into_iter(), joined);
        awaited.know([first, late].into_iter(), joined + GRACE);
        assert_eq!(judged(&awaited, joined + GRACE).silent, BTreeSet::new());
    }
}
