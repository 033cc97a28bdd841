//! What `paasd backup` and `paasd restore` can be told.

use std::path::PathBuf;

use clap::Args;

use crate::options::ServeArgs;

/// How much is said, and how.
#[derive(Args, Debug)]
pub(crate) struct Manner {
    /// Say what was done as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Say nothing on the way
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// The options of `paasd backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// File to write, which must not be there yet, or a directory, in which it is named by the time
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// The options of `paasd restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// File that `paasd backup` has made
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// Only look whether the file is whole
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}
