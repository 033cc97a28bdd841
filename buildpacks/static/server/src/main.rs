//! Serves the files of a static site: `static-server --root public --port 5000`.
//!
//! This file reads the options, listens and ends in an orderly way; `site` answers the requests. With `--check` it
//! only says what is wrong with a site, so that a build can refuse it.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod caching;
mod config;
mod folder;
mod listen;
mod pattern;
mod refusal;
mod site;
mod tag;
mod url_path;

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::folder::Folder;
use crate::refusal::Refusal;
use crate::site::Site;

/// Serves the files of a static site over HTTP.
#[derive(Debug, Parser)]
struct Options {
    /// Folder of the app; the `root` of the configuration is looked up in it
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Port to listen on
    #[arg(long, env = "PORT", required_unless_present = "check")]
    port: Option<u16>,
    /// Address to listen on; `::` takes IPv4 and IPv6
    #[arg(long, default_value = "::")]
    host: IpAddr,
    /// Configuration in the form of static.json
    #[arg(long)]
    config: Option<PathBuf>,
    /// Serve nothing: print the folder that would be served and then what has no effect, or what is wrong and a hint
    #[arg(long)]
    check: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let done = if options.check { check(&options) } else { serve(options).await };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say it if this fails.
            let _ = writeln!(std::io::stderr(), "static-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the configuration and opens the folder.
fn open(options: &Options) -> Result<(Folder, Config), Refusal> {
    let config = options.config.as_deref().map_or_else(|| Ok(Config::default()), Config::read)?;
    Ok((Folder::open(&options.root, &config)?, config))
}

/// Prints what `bin/compile` wants to know, a line each; a refusal in two lines ends the program.
fn check(options: &Options) -> anyhow::Result<()> {
    match open(options) {
        Ok((_, config)) => {
            writeln!(std::io::stdout(), "{}", config.root())?;
            config.notes().try_for_each(|note| writeln!(std::io::stdout(), "{note}"))?;
            Ok(())
        }
        Err(Refusal { reason, hint }) => {
            writeln!(std::io::stderr(), "{reason}\n{hint}")?;
            std::process::exit(1)
        }
    }
}

async fn serve(options: Options) -> anyhow::Result<()> {
    let (folder, config) = open(&options)?;
    let port = options.port.context("name a port with --port")?;
    let listener = listen::listen(options.host, port)?;
    let (address, root) = (listener.local_addr()?, folder.root().display());
    writeln!(std::io::stdout(), "Serving {root} on {address}")?;
    for note in config.notes() {
        writeln!(std::io::stderr(), "static-server: {note}")?;
    }
    let app = Site::new(folder, config).into_router();
    let mut term = signal(SignalKind::terminate()).context("could not listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("could not listen for signals")?;
    let stopped = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    axum::serve(listener, app).with_graceful_shutdown(stopped).await.context("could not serve")
}
