//! `aws:*`: the set-up of a platform on AWS, with the user's own credentials, from the user's own machine.

mod admin_token;
pub(super) mod backups;
pub(super) mod bake;
mod beginning;
mod cap;
mod consent;
pub(super) mod down;
mod options;
pub(super) mod plan;
pub(super) mod policy;
pub(super) mod server;
mod shown;
pub(super) mod up;
pub(super) mod update;

use std::future::Future;

use aws::failure::Failure;
use aws::setup::{Found, Stopped, Wish, used_surplus};

use crate::error::{Error, Result};

/// Runs what AWS is asked for to its end.
fn wait_for<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn failed(failure: &Failure) -> Error {
    Error::failed(failure.to_string()).hint(failure.hint())
}

fn stopped(stopped: &Stopped) -> Error {
    Error::failed(stopped.to_string()).hint(stopped.failure.hint())
}

/// Refuses to do without load balancers that apps are on.
fn check_surplus(wish: &Wish, found: &Found) -> Result<()> {
    let used = used_surplus(wish, found);
    let Some(most) = used.last() else { return Ok(()) };
    let numbers = used.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let error = Error::usage(format!(
        "load balancer {numbers} cannot go: it has rules, and visitors' DNS records lead there"
    ));
    Err(error.hint(format!("Say --balancers {most}, or destroy the apps that are on it.")))
}
