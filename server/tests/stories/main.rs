//! Stories through the real binaries: a server on a data directory of its own, `git push`, `paasctl`, and a visitor.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and says more"
)]

#[path = "../../../testkit/address.rs"]
mod address;
mod app;
mod gate;
mod load;
mod place;
mod platform;
mod visitor;
mod wait;

#[path = "../machines/mod.rs"]
mod machines;

#[path = "../simulated/mod.rs"]
#[allow(dead_code, reason = "what measures asks for more")]
mod simulated;

mod backup;
mod browser;
mod bucket;
mod builds;
mod config;
mod config_bytes;
mod container;
mod crash;
mod deploy;
mod disk;
mod failures;
mod git_shapes;
mod hanging;
mod hosts;
mod isolation;
mod log_flood;
mod logs;
mod many_hosts;
mod metrics;
#[path = "../../slug/tests/moto/mod.rs"]
mod moto;
mod on_postgres;
mod pushes;
mod restart;
mod rollback;
mod scale;
mod secrets;
mod steady;
mod unreadable;
mod upgrade;
mod upkeep;
mod watch;
mod websocket;
