//! `aws:*`: the set-up of a platform on AWS, with the user's own credentials, from the user's own machine.

pub(super) mod down;
mod options;
pub(super) mod plan;
pub(super) mod policy;
mod shown;
pub(super) mod up;

use std::future::Future;

use aws::failure::Failure;
use aws::setup::Stopped;

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
