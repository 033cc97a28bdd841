//! `git push`: the smart HTTP protocol at `/APP.git`, and what a push does.

mod access;
mod arrival;
mod deploy;
mod failure;
mod fetches;
mod http;
mod ledger;
mod watch;

pub(crate) use arrival::not_forward;
pub use fetches::Fetches;
pub use http::routes;
pub(crate) use ledger::Ledger;
