//! The real `paasd --fleet aws` against a simulated AWS without machines: instances are states, and no host joins from them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failed unwrap is a failed test, and one that is left out says so"
)]

mod apps;
mod killed;
mod names;
#[path = "../../aws/tests/region/mod.rs"]
mod region;
mod server;
mod told;
mod trouble;
