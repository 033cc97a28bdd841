//! `paasd stop`: ends the server of a data directory and everything it runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use model::replica::HostDesired;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tracing::info;

use crate::data_dir::DataDir;
use crate::local_agent::{self, Home};
use crate::options::Options;
use crate::{engine, listeners};

/// How long everything may take to end.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether the server has ended; nothing tells.
const LOOK: Duration = Duration::from_millis(50);

/// Ends the server, then lets an agent of our own end the replicas as it would end any others.
///
/// # Errors
/// There is no such data directory, or something did not end in time.
pub(crate) async fn stop(options: Options) -> anyhow::Result<()> {
    if !options.own("lock").exists() {
        bail!(
            "{} is not the data directory of a paasd; --data-dir names another",
            options.data_dir.display()
        );
    }
    let deadline = Instant::now() + LIMIT;
    end_server(&options, deadline).await?;
    let _taken = DataDir::take(&options, false)?;
    listeners::give_up(&options);
    let vault = Arc::new(store::Vault::open_file(&options.dir("secret-key"))?);
    let slugs = slug::SlugStore::open(&options.blobs, std::env::vars())?;
    let chosen = engine::found(&options.own("agent"))?;
    let agent = local_agent::start(Home::of_server(&options, slugs, vault), &chosen).await?;
    let mut reports = agent.reports();
    // In the place of the last wishes, not after them: those of the next server are to be taken.
    let (term, generation) = reports.borrow().order();
    agent.set_desired(HostDesired { term, generation, ..HostDesired::default() });
    let gone = reports.wait_for(|report| report.replicas.is_empty());
    let gone = tokio::time::timeout_at(deadline.into(), gone).await.map(|gone| gone.is_ok());
    if gone != Ok(true) {
        bail!("some replicas did not end within {} s", LIMIT.as_secs());
    }
    agent.shutdown().await;
    sandbox::Firewall::take_down(&options.own_dir);
    info!("the server and all replicas have ended");
    Ok(())
}

/// Ends the server, also one that came in the place of the one that was told. A server gives the directory up before
/// its last requests are answered.
async fn end_server(options: &Options, deadline: Instant) -> anyhow::Result<()> {
    let mut told = Vec::new();
    loop {
        let holder = DataDir::holder(options)?;
        if let Some(pid) = holder
            && !told.iter().any(|(known, _)| *known == pid)
        {
            let process = pidfd_open(pid, PidfdFlags::empty()).context("cannot end the server")?;
            pidfd_send_signal(&process, Signal::TERM).context("cannot end the server")?;
            told.push((pid, process));
        }
        told.retain(|(_, process)| !has_ended(process));
        if holder.is_none() && told.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the server did not end within {} s; its log says what it does", LIMIT.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A process that has ended makes its descriptor readable.
fn has_ended(process: &OwnedFd) -> bool {
    let mut look = [PollFd::new(process, PollFlags::IN)];
    poll(&mut look, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}
