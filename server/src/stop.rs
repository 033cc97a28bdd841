//! `paasd stop`: ends the server of a data directory and everything it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use model::replica::HostDesired;
use rustix::process::{Signal, kill_process};
use tracing::info;

use crate::data_dir::DataDir;
use crate::options::Options;
use crate::serve::start_agent;

/// How long everything may take to end.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether the server has ended; nothing tells.
const LOOK: Duration = Duration::from_millis(50);

/// Ends the server, then lets an agent of our own end the replicas as it would end any others.
///
/// # Errors
/// There is no such data directory, or something did not end in time.
pub(crate) async fn stop(options: Options) -> anyhow::Result<()> {
    if !options.dir("lock").exists() {
        bail!(
            "{} is not the data directory of a paasd; --data-dir names another",
            options.data_dir.display()
        );
    }
    let deadline = Instant::now() + LIMIT;
    end_server(&options, deadline).await?;
    let _taken = DataDir::take(&options)?;
    let vault = Arc::new(store::Vault::open_file(&options.dir("secret-key"))?);
    let slugs = slug::SlugStore::local(&options.dir("blobs"))?;
    let agent = start_agent(&options, &std::env::current_exe()?, slugs, vault).await?;
    let generation = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(u64::MAX);
    agent.set_desired(HostDesired { generation, replicas: Vec::new() });
    let mut reports = agent.reports();
    let gone = reports.wait_for(|report| report.generation >= generation && report.replicas.is_empty());
    let gone = tokio::time::timeout_at(deadline.into(), gone).await.map(|gone| gone.is_ok());
    if gone != Ok(true) {
        bail!("some replicas did not end within {} s", LIMIT.as_secs());
    }
    agent.shutdown().await;
    info!("the server and all replicas have ended");
    Ok(())
}

async fn end_server(options: &Options, deadline: Instant) -> anyhow::Result<()> {
    let mut told = None;
    while let Some(pid) = DataDir::holder(options)? {
        if Instant::now() > deadline {
            bail!("the server, process {}, did not end within {} s", pid.as_raw_nonzero(), LIMIT.as_secs());
        }
        if told != Some(pid) {
            kill_process(pid, Signal::TERM).context("cannot end the server")?;
            told = Some(pid);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
