//! `git push`: the smart HTTP protocol at `/APP.git`, and what a push does.

mod access;
mod deploy;
mod http;
mod ledger;
mod watch;

pub use http::routes;
pub(crate) use ledger::Ledger;
