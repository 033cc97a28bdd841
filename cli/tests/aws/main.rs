//! The real `paasctl aws:*` against a simulated AWS over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and one that is left out says so"
)]

mod adopted;
mod cloud;
mod killed;
mod setup;
mod trouble;
