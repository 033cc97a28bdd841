//! The real `paasctl aws:*` against a simulated AWS over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and one that is left out says so"
)]

mod adopted;
mod bake;
mod by_hand;
mod cloud;
mod exactly;
mod frozen;
mod interruption;
mod inventory;
mod killed;
mod live;
mod platform;
mod rollover;
mod server;
mod setup;
mod stepped;
mod trouble;
mod update;
mod visitors;
mod visits;
mod zone;
