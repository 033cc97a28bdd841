//! `git push`: the smart HTTP protocol at `/APP.git`, and what a push does.

mod access;
mod arrival;
mod deploy;
mod failure;
mod http;
mod ledger;
mod watch;

pub(crate) use arrival::not_forward;
pub use http::routes;
pub(crate) use ledger::Ledger;
