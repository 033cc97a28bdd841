//! Hosts, the control plane's machine and builders as EC2 instances: the real SDK against a simulated AWS over HTTP, in which the
//! set-up is made first, as `paasctl aws:up` makes it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and one that is left out says so"
)]

mod control;
mod hosts;
mod lists;
mod orders;
mod refusals;
#[path = "../region/mod.rs"]
mod region;
