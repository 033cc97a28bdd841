//! Makes the routing table from what is wished and observed, and replaces the router's when it differs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use model::id::{HostId, ReplicaId};
use model::name::ProcessType;
use model::plan::{AppView, ReplicaView, ReplicaWish, World};
use router::{AppRoute, AppState, Backend, Routes, StickyKey};
use store::{DesiredApp, Host};

use crate::facts::Place;
use crate::platform::Platform;
use crate::reconcile::rotation::{probed, rotation};
use crate::reports::Reports;

/// What decides the route of one app; equal keys mean an equal route.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    hosts: Vec<String>,
    state: AppState,
    routed: Vec<(ReplicaId, Place)>,
    probed: Vec<(ReplicaId, Place)>,
    sticky: bool,
    limit: Option<u32>,
}

/// The table that was published last.
pub(super) struct Table {
    routes: Arc<ArcSwap<Routes>>,
    sticky: StickyKey,
    last: Vec<Key>,
}

impl Table {
    /// Publishes to `routes`; what is derived from `secret` names replicas in visitors' cookies.
    pub(super) fn new(routes: Arc<ArcSwap<Routes>>, secret: &Path) -> Self {
        // Without the secret the cookies of before lead nowhere, which only means another replica.
        let sticky =
            std::fs::read(secret).map_or_else(|_| StickyKey::random(), |key| StickyKey::derived(&key));
        Self { routes, sticky, last: Vec::new() }
    }

    /// Publishes the table, unless it is the same as before.
    pub(super) fn publish(
        &mut self,
        platform: &Platform,
        (hosts, apps): (&[Host], &[DesiredApp]),
        world: &World,
    ) {
        let entries = entries(platform, hosts);
        let reports = platform.facts.reports();
        let living = apps.iter().zip(&world.apps).filter(|(desired, _)| desired.app.deleted_at.is_none());
        let planned: Vec<Planned<'_>> = living
            .map(|(desired, view)| Planned::of((platform, &reports, &entries), desired, view))
            .collect();
        if !planned.iter().map(|planned| &planned.key).eq(&self.last) {
            let routes = planned.iter().flat_map(|planned| {
                let route = self.route(platform, planned);
                planned.key.hosts.iter().map(move |host| (host.clone(), route.clone()))
            });
            self.routes.store(Arc::new(Routes::new(routes.collect::<Vec<_>>())));
            self.last = planned.into_iter().map(|planned| planned.key).collect();
        }
        for replica in apps.iter().flat_map(|app| &app.replicas) {
            if let ReplicaWish::Drain { until } = replica.wish {
                platform.facts.leave(replica.id, until);
            }
        }
    }

    fn route(&self, platform: &Platform, planned: &Planned<'_>) -> Arc<AppRoute> {
        let app = &planned.desired.app;
        let only = |found: &[Found]| found.iter().map(|(_, _, backend)| backend.clone()).collect();
        let log = platform.logs.requests(app.id, platform.metrics.counters(app.id));
        let mut route = AppRoute::new(app.name.as_str(), log, only(&planned.routed));
        route.state = planned.key.state;
        route.probed = only(&planned.probed);
        route.connection_limit = app.settings.connection_limit.map(|limit| limit as usize);
        if app.settings.sticky_sessions {
            route.stick(&self.sticky);
        }
        Arc::new(route)
    }
}

/// The route of one app as it should be.
struct Planned<'a> {
    desired: &'a DesiredApp,
    key: Key,
    routed: Vec<Found>,
    probed: Vec<Found>,
}

impl<'a> Planned<'a> {
    fn of(found_by: (&Platform, &Reports, &Entries), desired: &'a DesiredApp, view: &AppView) -> Self {
        let (platform, reports, _) = found_by;
        let is_silent = |replica: &ReplicaView| {
            reports.status(replica.host, replica.id).is_some_and(|status| status.silent)
        };
        let in_rotation = rotation(view, is_silent);
        let state = state(desired, view, in_rotation.is_empty());
        let routed = backends(found_by, in_rotation.iter().copied());
        let probed = backends(found_by, probed(view, &in_rotation));
        let address = |found: &[Found]| found.iter().map(|(id, place, _)| (*id, *place)).collect();
        let key = Key {
            hosts: names(&platform.options.domain, desired),
            state,
            routed: address(&routed),
            probed: address(&probed),
            sticky: desired.app.settings.sticky_sessions,
            limit: desired.app.settings.connection_limit,
        };
        Self { desired, key, routed, probed }
    }
}

/// A replica, where it is, and the router's view of it.
type Found = (ReplicaId, Place, Arc<Backend>);

/// The entry of each host but this one.
type Entries = BTreeMap<HostId, SocketAddr>;

fn entries(platform: &Platform, hosts: &[Host]) -> Entries {
    let elsewhere = hosts.iter().filter(|host| host.id != platform.facts.here());
    let entry =
        |host: &Host| Some((host.id, SocketAddr::from((host.facts.address?, host.facts.entry_port?))));
    elsewhere.filter_map(entry).collect()
}

fn backends<'a>(
    (platform, reports, entries): (&Platform, &Reports, &Entries),
    replicas: impl Iterator<Item = &'a ReplicaView>,
) -> Vec<Found> {
    let backend = |replica: &ReplicaView| {
        let address = reports.status(replica.host, replica.id)?.address?;
        let entry = match replica.host == platform.facts.here() {
            true => None,
            false => Some(*entries.get(&replica.host)?),
        };
        let place = Place { address, entry };
        let make = || make(platform, replica, place);
        Some((replica.id, place, platform.facts.backend(replica.id, place, make)?))
    };
    replicas.filter_map(backend).collect()
}

fn make(platform: &Platform, replica: &ReplicaView, place: Place) -> Option<Arc<Backend>> {
    let (id, name) = (replica.id.to_string(), replica.name());
    let Some(entry) = place.entry else { return Some(Backend::new(id, name, place.address)) };
    match platform.agents.way_in(replica.host, replica.id) {
        Ok(way_in) => Some(Backend::elsewhere(id, name, entry, way_in)),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "there is no way in to a host");
            None
        }
    }
}

fn names(domain: &str, desired: &DesiredApp) -> Vec<String> {
    let own = format!("{}.{domain}", desired.app.name);
    std::iter::once(own).chain(desired.domains.iter().map(|domain| domain.as_str().to_owned())).collect()
}

fn state(desired: &DesiredApp, view: &AppView, none_in_rotation: bool) -> AppState {
    let wanted = desired.formation.get(&ProcessType::web()).map_or(0, |scale| scale.quantity);
    let has_web = view.serving.as_ref().is_some_and(|serving| serving.types.contains(&ProcessType::web()));
    if desired.app.settings.maintenance {
        AppState::Maintenance
    } else if !has_web || wanted == 0 {
        AppState::NoWeb
    } else if none_in_rotation {
        AppState::Crashed
    } else {
        AppState::Serving
    }
}
