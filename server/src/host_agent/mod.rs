//! `paasd agent`: runs replicas on a machine that has no control plane. It joins once, then goes on with what it knows
//! whether or not a server is there to tell it more.

mod about;
mod directory;
mod enrolment;
mod identity;
mod invitation;
mod minutes;
mod notices;
mod options;
mod servers;
mod ship;
mod slugs;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::Agent;
use anyhow::{Context as _, bail};
use fleet::{Entry, Places, ServerUrl};
use model::id::ReplicaId;
use model::replica::{HostDesired, HostReport};
use slug::SlugStore;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::engine;
use crate::local_agent::{self, Home};
use crate::serve::{let_apps_read, raise_file_limit, run, runtime};
use directory::Directory;
use identity::Identity;
pub use options::AgentArgs;
use options::Options;
use servers::Servers;
pub use ship::{open as open_logs, run as ship};

/// How long replicas may take to end on a machine that is no host any more.
const END: Duration = Duration::from_secs(60);

/// How long threads may take that are in the middle of something.
const THREADS_END: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT; replicas go on. Returns the process's exit code.
#[must_use]
pub fn main(args: AgentArgs) -> ExitCode {
    run(|| {
        let options = args.resolve()?;
        let runtime = runtime()?;
        let ended = runtime.block_on(work(options));
        runtime.shutdown_timeout(THREADS_END);
        ended
    })
}

async fn work(options: Options) -> anyhow::Result<()> {
    let _taken = Directory::take(&options.data_dir, false)?;
    raise_file_limit();
    let_apps_read();
    let listener = TcpListener::bind(options.entry).await;
    let listener = listener.with_context(|| format!("cannot open the entry at {}", options.entry))?;
    let entry_port = listener.local_addr()?.port();
    // Before the token is used up: an engine that cannot be had is to be mended first.
    let chosen = engine::choose(options.engine, &options.data_dir.join("agent")).await?;
    let about = about::about(&options, entry_port, &chosen);
    let identity = Arc::new(Identity::open(&options, &about).await?);
    info!("this is host {} ({})", identity.name(), identity.host());
    let servers = Servers::new(&options, &identity, about)?;
    let from_servers = servers.slugs();
    let slugs =
        SlugStore::elsewhere(from_servers.clone()).bounded(options.slug_cache_bytes()).knowing(from_servers);
    let home = Home::of_host(&options.data_dir, slugs, entry_port)?
        .apart_from(addresses(&options.servers).await)
        .behind_balancer(options.behind_balancer);
    let spool = ship::open(options.dir("logs"));
    let agent = Arc::new(local_agent::start(home, &chosen).await?);
    for sentence in &agent.reports().borrow().degraded {
        warn!("{sentence}");
    }
    let stop = CancellationToken::new();
    let mut loops = JoinSet::new();
    let entry = Entry::new(listener, identity.entry_config()?, Arc::new(Reported(agent.reports())));
    loops.spawn(entry.run(stop.clone()));
    loops.spawn(Arc::clone(&identity).keep_fresh(servers.links(), stop.clone()));
    loops.spawn(ship::run(spool, servers.shipping_links(), stop.clone()));
    loops.spawn(minutes::run(agent.minutes(), servers.links(), stop.clone()));
    if let Some(launch) = options.invitation.launch() {
        loops.spawn(notices::listen(launch.metadata.clone(), servers.told(), stop.clone()));
    }
    let removed = servers.removed();
    servers.start(&agent, &mut loops, &stop);
    let told = told_to_stop()?;
    let ended = tokio::select! {
        () = told => {
            info!("stopping; replicas go on running");
            Ok(())
        }
        why = removed => Err(why),
        Some(_) = loops.join_next() => bail!("a loop of the agent ended, which it never should"),
    };
    stop.cancel();
    while loops.join_next().await.is_some() {}
    if ended.is_err() {
        end_replicas(&agent).await?;
        identity.forget()?;
    }
    if let Some(agent) = Arc::into_inner(agent) {
        agent.shutdown().await;
    }
    ended
}

/// Returns where the servers are called. What has no address now is none of an app's, either.
async fn addresses(servers: &[ServerUrl]) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for server in servers {
        match server.addresses().await {
            Ok(addresses) => all.extend(addresses),
            Err(error) => warn!("apps are not kept from {server}, which has no address: {error}"),
        }
    }
    all
}

/// Tells whether a directory is that of an agent.
pub(crate) fn is_agents(data_dir: &Path) -> bool {
    data_dir.join("identity").exists()
}

/// Ends the agent of a directory and all its replicas; the next start brings them back.
///
/// # Errors
/// Something did not end in time.
pub(crate) async fn stop(data_dir: &Path) -> anyhow::Result<()> {
    let _taken = Directory::take(data_dir, true)?;
    // It only ends what runs: nothing is fetched for that.
    let slugs = SlugStore::elsewhere(Arc::new(slugs::FromServers(Vec::new())));
    let chosen = engine::found(&data_dir.join("agent"))?;
    let agent = local_agent::start(Home::of_host(data_dir, slugs, 0)?, &chosen).await?;
    end_replicas(&agent).await?;
    agent.shutdown().await;
    sandbox::Firewall::take_down(data_dir);
    info!("the agent and all replicas have ended");
    Ok(())
}

fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ends what runs on a machine that is no host any more: others do its work by now.
async fn end_replicas(agent: &Agent) -> anyhow::Result<()> {
    // As if that had been wished: what is wished again by the server starts them again.
    let (term, generation) = agent.reports().borrow().order();
    let nothing = HostDesired { term, generation, ..HostDesired::default() };
    agent.set_desired(nothing);
    let mut reports = agent.reports();
    let gone = reports.wait_for(|report| report.replicas.is_empty());
    if tokio::time::timeout(END, gone).await.is_err() {
        bail!("some replicas did not end within {} s", END.as_secs());
    }
    Ok(())
}

/// Where the agent last said that its replicas listen.
struct Reported(watch::Receiver<Arc<HostReport>>);

impl Places for Reported {
    fn place(&self, replica: ReplicaId) -> Option<SocketAddr> {
        crate::reports::status_of(&self.0.borrow(), replica)?.address
    }
}
