//! `paasd gc --dry-run`: what a collection would remove of a data directory, whether or not its server runs. The server
//! removes it by itself.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use slug::{BlobPlace, SlugStore};
use store::Store;

use crate::collect;
use crate::options::ServeArgs;

/// The options of `paasd gc`.
#[derive(Args, Debug)]
pub struct GcArgs {
    /// Remove nothing: show what would go, and why; the server removes it within ten minutes, `paasctl gc` at once
    #[arg(long, required = true)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Shows it. Returns the process's exit code.
#[must_use]
pub fn main(args: GcArgs) -> ExitCode {
    crate::serve::run(|| crate::serve::runtime()?.block_on(show(args)))
}

async fn show(args: GcArgs) -> anyhow::Result<()> {
    let options = args.serve.resolve()?;
    if !options.dir("secret-key").exists() || crate::host_agent::is_agents(&options.data_dir) {
        bail!(
            "{} is not the data directory of a server; --data-dir names another",
            options.data_dir.display()
        );
    }
    let slugs = match &options.blobs {
        BlobPlace::Directory(root) => SlugStore::beside(root)?,
        place => SlugStore::open(place, std::env::vars())?,
    };
    let store = Store::look(&options.dir("paas.db"), options.database_url.as_ref()).await?;
    // What hosts have they tell the server that runs: `paasctl gc --dry-run` shows it.
    let preview = collect::preview(&store, &slugs, &options, None).await;
    store.close().await;
    let preview = preview?;
    let text = if args.json { serde_json::to_string_pretty(&preview)? } else { preview.to_string() };
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
