//! Serves the files of a static site: `static-server --root public --port 5000`.
//!
//! This file reads the options, listens and ends in an orderly way; `site` answers the requests.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod caching;
mod config;
mod folder;
mod listen;
mod pattern;
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
use crate::site::Site;

/// Serves the files of a static site over HTTP.
#[derive(Debug, Parser)]
struct Options {
    /// Folder of the app; the `root` of the configuration is looked up in it
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Port to listen on
    #[arg(long, env = "PORT")]
    port: u16,
    /// Address to listen on; `::` takes IPv4 and IPv6
    #[arg(long, default_value = "::")]
    host: IpAddr,
    /// Configuration in the form of static.json
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere is left to say it if this fails.
            let _ = writeln!(std::io::stderr(), "static-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> anyhow::Result<()> {
    let config = match &options.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let folder = Folder::open(&options.root.join(config.root()))?;
    let listener = listen::listen(options.host, options.port)?;
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
