//! The routing table: which app a host belongs to, and which replicas serve it.
//!
//! A table is never changed; a change is a new table in its place.

use crate::backend::Backend;
use crate::line::RequestLog;
use crate::sticky::{Sticky, StickyKey};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// How many requests a replica may have in flight before more are turned away (H11), unless the app says otherwise.
const IN_FLIGHT_PER_REPLICA: usize = 2_000;

/// One snapshot of the routing table.
#[derive(Debug, Default)]
pub struct Routes {
    /// By the bytes of the host, which need not be looked through once more to be text.
    exact: HashMap<Box<[u8]>, Arc<AppRoute>>,
    wildcard: HashMap<Box<[u8]>, Arc<AppRoute>>,
    /// The backends that are in the table, in rotation or not.
    serials: HashSet<u64>,
}

impl Routes {
    /// Makes a table from hosts without port, such as `shop.example.org` or `*.example.org`.
    pub fn new(hosts: impl IntoIterator<Item = (String, Arc<AppRoute>)>) -> Self {
        let mut routes = Self::default();
        for (host, app) in hosts {
            let host = host.to_ascii_lowercase();
            routes.serials.extend(app.replicas.iter().chain(&app.probed).map(|backend| backend.serial()));
            match host.strip_prefix("*.") {
                Some(parent) => routes.wildcard.insert(parent.as_bytes().into(), app),
                None => routes.exact.insert(host.as_bytes().into(), app),
            };
        }
        routes
    }

    /// Returns whether the backend with this serial is in the table.
    pub(crate) fn has(&self, serial: u64) -> bool {
        self.serials.contains(&serial)
    }

    /// Returns the app for a lower-case host: its own name first, then the nearest wildcard above it.
    pub(crate) fn find(&self, host: &[u8]) -> Option<&Arc<AppRoute>> {
        if let Some(app) = self.exact.get(host) {
            return Some(app);
        }
        if self.wildcard.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some(dot) = rest.iter().position(|byte| *byte == b'.') {
            let parent = &rest[dot + 1..];
            if let Some(app) = self.wildcard.get(parent) {
                return Some(app);
            }
            rest = parent;
        }
        None
    }
}

/// What an app does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppState {
    /// Its replicas answer them.
    Serving,
    /// Its owner has turned visitors away (H80).
    Maintenance,
    /// No web replica is wanted (H14).
    NoWeb,
    /// Web replicas are wanted and all have crashed (H10).
    Crashed,
}

/// One app as the router sees it.
pub struct AppRoute {
    /// The app's name.
    pub app: String,
    /// Where its request lines go.
    pub log: Arc<dyn RequestLog>,
    /// What it does with requests.
    pub state: AppState,
    /// The replicas in rotation.
    pub replicas: Vec<Arc<Backend>>,
    /// Replicas that only probes reach, because they are not in rotation yet.
    pub probed: Vec<Arc<Backend>>,
    /// How many requests a replica may have in flight before more are turned away (H11).
    pub in_flight_limit: usize,
    /// How many requests all its replicas may have in flight before more are turned away (H22).
    pub connection_limit: Option<usize>,
    /// The names of its replicas in cookies, if visitors come back to the replica that answered before.
    pub(crate) sticky: Option<Sticky>,
}

impl AppRoute {
    /// Makes a route that serves with `replicas` and the usual limit.
    pub fn new(app: impl Into<String>, log: Arc<dyn RequestLog>, replicas: Vec<Arc<Backend>>) -> Self {
        Self {
            app: app.into(),
            log,
            state: AppState::Serving,
            replicas,
            probed: Vec::new(),
            in_flight_limit: IN_FLIGHT_PER_REPLICA,
            connection_limit: None,
            sticky: None,
        }
    }

    /// Brings visitors back to the one of the present replicas that answered before, by a cookie.
    pub fn stick(&mut self, key: &StickyKey) {
        self.sticky = Some(Sticky::new(key, &self.replicas));
    }

    /// Returns whether as many requests are in flight as may be.
    pub(crate) fn is_full(&self) -> bool {
        let in_flight = || self.replicas.iter().map(|backend| backend.in_flight()).sum::<usize>();
        self.connection_limit.is_some_and(|limit| in_flight() >= limit)
    }

    /// Returns the replica with this id, in rotation or not yet.
    pub(crate) fn replica(&self, id: &str) -> Option<&Arc<Backend>> {
        self.replicas.iter().chain(&self.probed).find(|backend| backend.replica() == id)
    }
}

impl fmt::Debug for AppRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppRoute")
            .field("app", &self.app)
            .field("state", &self.state)
            .field("replicas", &self.replicas)
            .field("probed", &self.probed)
            .field("in_flight_limit", &self.in_flight_limit)
            .field("connection_limit", &self.connection_limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::RequestLine;

    struct Nowhere;

    impl RequestLog for Nowhere {
        fn request(&self, _: RequestLine) {}
    }

    fn table(hosts: &[&str]) -> Routes {
        Routes::new(hosts.iter().map(|host| {
            let log: Arc<dyn RequestLog> = Arc::new(Nowhere);
            ((*host).to_owned(), Arc::new(AppRoute::new(*host, log, vec![])))
        }))
    }

    #[test]
    fn a_host_finds_its_own_app_before_a_wildcard() {
        let routes = table(&["a.example.org", "*.example.org", "*.b.example.org"]);
        let find = |host: &str| routes.find(host.as_bytes()).map(|app| app.app.as_str());
        assert_eq!(find("a.example.org"), Some("a.example.org"));
        assert_eq!(find("c.example.org"), Some("*.example.org"));
        assert_eq!(find("x.y.b.example.org"), Some("*.b.example.org"));
        assert_eq!(find("example.org"), None);
        assert_eq!(find("org"), None);
        assert_eq!(table(&["Shop.Localhost"]).find(b"shop.localhost").unwrap().app, "Shop.Localhost");
    }
}
