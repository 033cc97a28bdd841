//! `paasd backup` and `paasd restore`: all that the platform is as one file, and the platform out of that file again,
//! elsewhere. What the file looks like is not decided here.

mod arguments;
mod depot;
mod images;
pub(crate) mod nightly;
mod progress;
mod put_back;
mod report;
mod repositories;
mod restore;
mod rows;
mod take;

use std::process::ExitCode;

use anyhow::Context as _;

pub use arguments::{BackupArgs, RestoreArgs};
pub(crate) use depot::Depot;
pub(crate) use progress::Progress;
use report::Report;

/// Makes a backup, beside a server that works or not. Returns the process's exit code.
#[must_use]
pub fn backup_main(args: BackupArgs) -> ExitCode {
    let (json, quiet) = (args.manner.json, args.manner.quiet);
    let done = runtime().and_then(|runtime| take::take(&runtime, args, &mut Progress::new(quiet)));
    report::tell(done, json)
}

/// Makes a data directory of a backup. Returns the process's exit code.
#[must_use]
pub fn restore_main(args: RestoreArgs) -> ExitCode {
    let (json, quiet) = (args.manner.json, args.manner.quiet);
    let done = runtime().and_then(|runtime| restore::restore(&runtime, args, &mut Progress::new(quiet)));
    report::tell(done, json)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no runtime")
}
