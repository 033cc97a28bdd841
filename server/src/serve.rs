//! Starts the parts in the order in which they need each other, and ends them in the reverse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use arc_swap::ArcSwap;
use router::{Listen, ProbeSecret, Router, RouterOptions, Routes, Tls};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::agents;
use crate::app_logs::AppLogs;
use crate::backup::nightly;
use crate::data_dir::DataDir;
use crate::departure::{Departure, Serving};
use crate::fleet_source::FleetSource;
use crate::listeners::Listeners;
use crate::options::{Options, ServeArgs};
use crate::orders::Orders;
use crate::platform::Platform;
use crate::reconcile::{Reconciler, RouterEntrance};
use crate::{
    api, assembly, balancers, builds, collect, connections, dashboard, doubt, host_agent, instances,
    leadership, metrics, news, own_entry, peers, push, sweep, this_host, upkeep,
};

/// How long requests to the API may; those that would go on, as followers do, are cut off.
const API_FINISH: Duration = Duration::from_secs(1);

/// How long a load balancer's connection may be idle; longer than the load balancer itself lets it.
const BALANCER_IDLE: Duration = Duration::from_secs(75);

/// How long the loops may take to finish what they are at.
const LOOPS_END: Duration = Duration::from_secs(2);

/// How long threads may take that are in the middle of something.
const THREADS_END: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT. Returns the process's exit code.
#[must_use]
pub fn main(args: ServeArgs) -> ExitCode {
    run(|| {
        let replace = args.replace;
        let options = args.resolve()?;
        let runtime = runtime()?;
        let left = runtime.block_on(serve(options, replace));
        let begun = Instant::now();
        runtime.shutdown_timeout(THREADS_END);
        let Left { departure, data_dir, logs, answered } = left?;
        // The next server may begin while visitors still get their answers, unless a thread is still at something.
        let data_dir = (begun.elapsed() >= THREADS_END).then_some(data_dir);
        if data_dir.is_some() {
            warn!("a thread is still at work; the next server waits until this one has ended");
        }
        departure.finish();
        logs.flush();
        drop(data_dir);
        answered
    })
}

/// Stops the server of a data directory and all its replicas. Returns the process's exit code.
#[must_use]
pub fn stop(args: ServeArgs) -> ExitCode {
    run(|| {
        let options = args.resolve()?;
        let runtime = runtime()?;
        let done = runtime.block_on(async {
            match host_agent::is_agents(&options.data_dir) {
                true => host_agent::stop(&options.data_dir).await,
                false => crate::stop::stop(options).await,
            }
        });
        runtime.shutdown_timeout(THREADS_END);
        done
    })
}

pub(crate) fn run(what: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    let filter = EnvFilter::try_from_env("PAASD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match what() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")
}

/// What is left of a server that was told to stop.
struct Left {
    departure: Departure,
    data_dir: DataDir,
    logs: AppLogs,
    answered: anyhow::Result<()>,
}

async fn serve(mut options: Options, replace: bool) -> anyhow::Result<Left> {
    let data_dir = DataDir::take(&options, replace)?;
    raise_file_limit();
    let_apps_read();
    let Listeners { api, router: sockets, tls, kept } = Listeners::open(&options)?;
    options.listen = api.local_addr()?;
    options.router_listen = sockets.first().context("there is no socket for the router")?.local_addr()?;
    tokio::spawn(kept.watch());

    let agents_listen = listen_for_agents(&mut options).await?;
    let entry = own_entry::open(&options).await?;
    let entry_at = entry.as_ref().map(TcpListener::local_addr).transpose()?;
    let (platform, agent) = assembly::assemble(options, entry_at).await?;
    let stop = platform.signals.stop.clone();
    let mut loops = JoinSet::new();
    assembly::prepare_apps(&platform).await?;
    peers::hear(&platform).await;
    if let Some(listener) = agents_listen {
        let limits = agents::Limits::default();
        loops.spawn(agents::run(platform.clone(), listener, limits, stop.clone()));
        agents::wait_for_hosts(&platform).await?;
    }
    // Whoever has visitors leaves in order.
    let orders = Orders::listen()?;
    let (serving, reconciler) = start_router(&platform, sockets, tls).await?;
    loops.spawn(own_entry::run(platform.clone(), entry, stop.clone()));
    loops.spawn(leadership::run(platform.clone(), stop.clone()));
    loops.spawn(news::run(platform.clone(), stop.clone()));
    loops.spawn(peers::run(platform.clone(), stop.clone()));
    loops.spawn(reconciler.run(stop.clone()));
    loops.spawn(instances::run(platform.clone(), stop.clone()));
    if let Some(connected) = balancers::connect(&platform.options).await?.map(Arc::new) {
        loops.spawn(balancers::run(platform.clone(), connected.clone(), stop.clone()));
        loops.spawn(balancers::keep_names(platform.clone(), connected.clone(), stop.clone()));
        loops.spawn(balancers::keep_door(platform.clone(), connected, stop.clone()));
    }
    loops.spawn(metrics::keep_own(platform.clone(), agent.minutes(), stop.clone()));
    loops.spawn(this_host::run(platform.clone(), agent, stop.clone()));
    loops.spawn(builds::run_queue(platform.clone(), stop.clone()));
    loops.spawn(sweep::run(platform.clone(), stop.clone()));
    loops.spawn(collect::run(platform.clone(), stop.clone()));
    loops.spawn(upkeep::tell_that_it_serves(platform.clone(), stop.clone()));
    loops.spawn(nightly::run(platform.clone(), stop.clone()));
    loops.spawn(metrics::run(platform.clone(), stop.clone()));
    loops.spawn(doubt::run(platform.clone(), stop.clone()));
    let coming = serving.coming.clone();
    let departure = tokio::spawn(depart(serving, data_dir, stop.clone()));
    DataDir::announce(&platform.options)?;
    let apps = platform.options.web_url("APP", false);
    info!("API and git at http://{}, apps at {apps}", platform.options.listen);
    let mut answering = pin!(answer(&platform, TcpListener::from_std(api)?, orders, (&stop, &coming)));
    let answered = tokio::select! {
        answered = &mut answering => answered,
        // They end when they are told to, and then the API still has answers to give.
        Some(_) = loops.join_next() => match stop.is_cancelled() {
            true => answering.await,
            // Without its loops the server would take wishes that nobody carries out. Whoever started it starts it again.
            false => Err(anyhow!("a loop of the server ended, which it never should")),
        },
    };
    end(&platform, &stop, loops).await;
    let (departure, data_dir) = departure.await??;
    Ok(Left { departure, data_dir, logs: platform.logs.clone(), answered })
}

/// Opens the port that hosts call.
async fn listen_for_agents(options: &mut Options) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = options.agent_listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("cannot listen for hosts on {address}"))?;
    let address = listener.local_addr()?;
    options.agent_listen = Some(address);
    info!("hosts call https://{address}");
    Ok(Some(listener))
}

/// Starts the router once the table of what runs already is there: no visitor finds an app missing that is only not
/// known yet.
async fn start_router(
    platform: &Arc<Platform>,
    sockets: Vec<std::net::TcpListener>,
    tls: Vec<std::net::TcpListener>,
) -> anyhow::Result<(Serving, Reconciler)> {
    let (secret, routes) = (ProbeSecret::random(), Arc::new(ArcSwap::<Routes>::default()));
    let address = platform.options.router_listen;
    let entrance = RouterEntrance::new(reachable(address), secret.clone());
    let mut reconciler = Reconciler::new(platform.clone(), routes.clone(), entrance);
    reconciler.publish_first_table().await?;
    let mut options = RouterOptions::new(address, secret.clone());
    options.listen = Listen::Sockets(sockets);
    options.trusted = platform.options.trusted_proxies.clone();
    let certificates = platform.options.dir("certs");
    options.tls = (!tls.is_empty()).then(|| Tls { listen: Listen::Sockets(tls), certificates });
    let router = Router::start(options, routes.clone())?;
    let run_dir = platform.options.own("run");
    let coming = CancellationToken::new();
    Ok((Serving { router, routes, secret, run_dir, coming }, reconciler))
}

/// Leaves when it is time to.
async fn depart(
    serving: Serving,
    mut data_dir: DataDir,
    stop: CancellationToken,
) -> anyhow::Result<(Departure, DataDir)> {
    stop.cancelled().await;
    data_dir.leave();
    Ok((Departure::begin(serving)?, data_dir))
}

/// Returns all that is answered at the listen address: the API, git, and the dashboard.
pub fn service(platform: &Arc<Platform>) -> axum::Router {
    let api = api::router(platform.clone());
    let dashboard = dashboard::router(platform.clone(), api.clone());
    api.merge(push::routes().with_state(platform.clone())).merge(dashboard)
}

/// Answers requests until a signal tells the server to stop, or to make place for a successor, and lets those under way finish.
async fn answer(
    platform: &Arc<Platform>,
    listener: TcpListener,
    mut orders: Orders,
    (stop, coming): (&CancellationToken, &CancellationToken),
) -> anyhow::Result<()> {
    let service = service(platform);
    let told = async {
        orders.told(coming).await;
        info!("stopping; replicas go on running");
        stop.cancel();
    };
    let served = connections::serve(listener, service, limits(&platform.options), stop.clone());
    let limit = async {
        told.await;
        tokio::time::sleep(API_FINISH).await;
    };
    tokio::select! {
        () = served => {}
        () = limit => info!("clients that were following something have been cut off"),
    }
    Ok(())
}

/// Returns how much there may be of each thing at the listen address.
fn limits(options: &Options) -> connections::Limits {
    let limits = connections::Limits { trusted: options.trusted_proxies.clone(), ..Default::default() };
    match options.fleet {
        FleetSource::None => limits,
        // A load balancer keeps connections for its next requests, 60 s long unless it was told otherwise. If they were ended here
        // first, some of those requests would meet the end.
        FleetSource::Aws(_) => connections::Limits { head: BALANCER_IDLE, ..limits },
    }
}

/// Ends all but the router.
async fn end(platform: &Platform, stop: &CancellationToken, mut loops: JoinSet<()>) {
    stop.cancel();
    let _ = tokio::time::timeout(LOOPS_END, async { while loops.join_next().await.is_some() {} }).await;
    // Work that hangs may hold a connection; what was committed is on disk either way.
    let _ = tokio::time::timeout(LOOPS_END, platform.store.close()).await;
}

/// Returns an address that reaches a listener which may listen on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
    }
}

/// Builds and replicas run as users of their own and read what is written for them here, whatever umask this was started
/// with; what is private says so itself.
pub(crate) fn let_apps_read() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
}

/// Each visitor's connection and each connection to a replica is a file.
pub(crate) fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}
