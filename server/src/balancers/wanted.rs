//! What the entrance should be, from what the database says and the hosts report.

use std::collections::{BTreeMap, BTreeSet};

use cloud::entrance::{Check, Manners, Shown, Wanted};
use model::entrance::Target;
use model::fleet::Fleet;
use model::id::HostId;
use model::instances::InstanceId;
use model::name::Hostname;
use model::plan::{AppView, Observation, World};
use store::{DesiredApp, Host, HostState};

use super::Witness;
use crate::reports::Reports;

/// What is known of hosts.
pub(crate) struct Hosts<'a> {
    pub(crate) hosts: &'a [Host],
    /// The instance that each became a host from.
    pub(crate) instances: &'a BTreeMap<HostId, InstanceId>,
    pub(crate) reports: &'a Reports,
    pub(crate) fleet: &'a Fleet,
    /// Instances that no host is known to have become, though they are the platform's.
    pub(crate) strays: &'a BTreeSet<InstanceId>,
}

impl Hosts<'_> {
    /// Tells whether nobody knows just now what is on a host. One that is lost counts as empty.
    fn is_unheard(&self, host: HostId) -> bool {
        let known = self.hosts.iter().find(|known| known.id == host);
        let is_lost = known.is_none_or(|host| matches!(host.state, HostState::Lost | HostState::Removed));
        !is_lost && (self.reports.of(host).is_none() || self.fleet.silent.contains(&host))
    }
}

/// Says what the entrance should be; nothing if this server does not decide.
pub(crate) fn publish(
    witness: &Witness,
    domain: &str,
    (apps, world): (&[DesiredApp], &World),
    hosts: Option<&Hosts<'_>>,
) {
    witness.want(hosts.map(|hosts| wanted(domain, (apps, world), hosts)));
}

fn wanted(domain: &str, (apps, world): (&[DesiredApp], &World), hosts: &Hosts<'_>) -> Wanted {
    let living = || apps.iter().zip(&world.apps).filter(|(desired, _)| desired.app.deleted_at.is_none());
    let mut targets = BTreeMap::new();
    for replica in living().flat_map(|(_, view)| &view.replicas) {
        if replica.process.is_web() && !hosts.is_unheard(replica.host) {
            let status = hosts.reports.status(replica.host, replica.id);
            let address =
                status.and_then(|status| status.address).filter(|_| replica.seen != Observation::Gone);
            let target = hosts.instances.get(&replica.host).cloned().zip(address);
            targets.insert(
                replica.id,
                target.map(|(instance, address)| Target { instance, port: address.port() }),
            );
        }
    }
    let unheard = hosts.instances.iter().filter(|(host, _)| hosts.is_unheard(**host));
    let questioned = hosts.fleet.unheard.iter().filter_map(|host| hosts.instances.get(host));
    Wanted {
        apps: living().map(|(desired, view)| shown(domain, desired, view)).collect(),
        targets,
        instances: hosts.instances.values().cloned().collect(),
        unheard: unheard.map(|(_, instance)| instance.clone()).collect(),
        strays: hosts.strays.clone(),
        questioned: questioned.cloned().collect(),
    }
}

fn shown(domain: &str, desired: &DesiredApp, view: &AppView) -> Shown {
    let own: Option<Hostname> = format!("{}.{domain}", desired.app.name).parse().ok();
    let settings = &desired.app.settings;
    Shown {
        name: desired.app.name.to_string(),
        view: view.clone(),
        hosts: own.into_iter().chain(desired.domains.iter().cloned()).collect(),
        check: Check::of(settings),
        manners: Manners::of(settings),
        closed: settings.maintenance,
    }
}
