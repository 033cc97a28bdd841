//! Visitors' way to replicas through load balancers: the real SDK against a simulated AWS over HTTP, in which the set-up is made
//! first, as `paasctl aws:up` makes it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and one that is left out says so"
)]

mod balancers;
mod door;
mod entrances;
mod hands;
mod names;
mod ports;
#[path = "../region/mod.rs"]
mod region;
mod zones;
