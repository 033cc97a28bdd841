//! What `paasd backup` and `paasd restore` can be told.

use std::num::NonZeroUsize;

use clap::Args;
use slug::BlobPlace;

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
    /// File to write, which must not be there yet, or a directory or `s3://BUCKET/PREFIX`, in which it is named by the time
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub(crate) to: BlobPlace,
    /// Of the backups there that are named by the time, remove all but the newest so many
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// The options of `paasd restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// File that `paasd backup` has made, or `s3://BUCKET/KEY`; of a directory or prefix the newest
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub(crate) from: BlobPlace,
    /// Only look whether the file is whole
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) manner: Manner,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}
