//! The same tests as on `SQLite` on a real `Postgres`, and what only that has: a server that goes away and comes back,
//! and others that write at the same time. Without one, each test says so and passes; `scripts/prerequisites test`
//! installs it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod database;
mod server;
#[path = "../store/world.rs"]
mod world;

/// One name for all, so that they can be left out where there is no `Postgres`.
mod on_postgres {
    #[path = "../../store/apps.rs"]
    mod apps;
    mod away;
    #[path = "../../store/builds.rs"]
    pub(crate) mod builds;
    #[path = "../../store/caps.rs"]
    mod caps;
    #[path = "../../store/desired.rs"]
    mod desired;
    mod disk;
    #[path = "../../store/hosts.rs"]
    mod hosts;
    #[path = "../../store/keeping.rs"]
    mod keeping;
    #[path = "../../store/launches.rs"]
    mod launches;
    #[path = "../../store/leadership.rs"]
    mod leadership;
    #[path = "../../store/leases.rs"]
    mod leases;
    #[path = "../../store/metrics.rs"]
    mod metrics;
    mod migrations;
    #[path = "../../store/operations.rs"]
    mod operations;
    mod portable;
    #[path = "../../store/releases.rs"]
    mod releases;
    #[path = "../../store/sessions.rs"]
    mod sessions;
    #[path = "../../store/tokens.rs"]
    mod tokens;
    mod turns;
    #[path = "../../store/unreadable.rs"]
    mod unreadable;
    #[path = "../../store/watches.rs"]
    mod watches;
}

use on_postgres::builds;
