//! Starts the parts in the order in which they need each other, and ends them in the reverse.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::{Agent, AgentOptions, SandboxEngine, SandboxOptions};
use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use model::replica::HostDesired;
use router::{ProbeSecret, Router, RouterHandle, RouterOptions, Routes};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::app_logs::AppLogs;
use crate::facts::Facts;
use crate::options::{EngineChoice, Options, ServeArgs};
use crate::platform::{Parts, Platform};
use crate::reconcile::{Reconciler, RouterEntrance};
use crate::seal::VaultSeal;
use crate::{api, builds, push, sweep};

/// How long requests may finish when the server is told to stop.
const FINISH: Duration = Duration::from_secs(10);

/// How long everything may take to end when the platform is stopped.
const STOP: Duration = Duration::from_secs(60);

/// Where a running server says how to reach it, for tools on the same machine.
#[derive(Serialize, Deserialize)]
struct Addresses {
    pid: u32,
    listen: SocketAddr,
    router: SocketAddr,
}

/// Serves until SIGTERM or SIGINT. Returns the process's exit code.
#[must_use]
pub fn main(args: ServeArgs) -> ExitCode {
    run(args, serve)
}

/// Stops the server of a data directory and all its replicas. Returns the process's exit code.
#[must_use]
pub fn stop(args: ServeArgs) -> ExitCode {
    run(args, stop_all)
}

fn run<F: Future<Output = anyhow::Result<()>>>(args: ServeArgs, what: impl FnOnce(Options) -> F) -> ExitCode {
    let filter = EnvFilter::try_from_env("PAASD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    let done = args.resolve().and_then(|options| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
        let done = runtime.block_on(what(options));
        runtime.shutdown_timeout(Duration::from_secs(1));
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(mut options: Options) -> anyhow::Result<()> {
    if options.engine == EngineChoice::Docker {
        bail!("the docker engine is not there yet; use --engine sandbox");
    }
    let _lock = lock(&options)?;
    raise_file_limit();
    let listener = TcpListener::bind(options.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; another server may run there (--listen chooses another)",
            options.listen
        )
    })?;
    options.listen = listener.local_addr()?;

    let vault = Arc::new(store::Vault::open_file(&options.dir("secret-key"))?);
    let store = store::Store::open_file(&options.dir("paas.db")).await?;
    if store::bootstrap_admin(&store, &options.dir("admin-token")).await? {
        info!("made an administrator; the API token is in {}", options.dir("admin-token").display());
    }
    let slugs = slug::SlugStore::local(&options.dir("blobs"))?;
    let program = std::env::current_exe().context("cannot find the program that runs")?;
    let agent = Arc::new(start_agent(&options, &program, slugs.clone(), vault.clone()).await?);
    let secret = ProbeSecret::random();
    let routes = Arc::new(ArcSwap::<Routes>::default());
    let router = Router::start(RouterOptions::new(options.router_listen, secret.clone()), routes.clone())?;
    options.router_listen = router.local_addr();

    let host = {
        let name = hostname();
        let mut tx = store.write().await?;
        let host = store::ensure_host(&mut tx, &name, "local").await?;
        tx.commit().await?;
        host
    };
    for sentence in &agent.reports().borrow().degraded {
        warn!("{sentence}");
    }
    let found = build::Tools::find(&options.data_dir);
    let uv = options.uv.clone().or_else(|| found.uv().map(Path::to_owned));
    let tools = build::Tools::new(uv, found.static_server().map(Path::to_owned));
    let host_facts = sandbox::HostFacts::detect(&options.dir("run").join("etc"))?;
    let parts = Parts {
        repositories: git::Repositories::open(&options.dir("repos"))?,
        hooks: git::hook::HookServer::start(&options.dir("run").join("hook.sock"), &program)?,
        slugs,
        builder: build::Builder::new(Arc::new(host_facts), tools),
        build_env: build::build_environment(std::env::vars()),
        logs: AppLogs::start(options.dir("logs"))?,
        facts: Facts::new(agent.reports()),
        store,
        vault,
        options,
    };
    let platform = Arc::new(Platform::new(parts));
    prepare_apps(&platform).await?;
    let entrance = RouterEntrance::new(reachable(router.local_addr()), secret);
    let reconciler = Reconciler::new(platform.clone(), host, agent.clone(), routes, entrance);
    let stop = CancellationToken::new();
    let loops = [
        tokio::spawn(reconciler.run(stop.clone())),
        tokio::spawn(builds::run_queue(platform.clone(), stop.clone())),
        tokio::spawn(sweep::run(platform.clone(), stop.clone())),
    ];
    announce(&platform.options)?;
    answer(&platform, listener, &stop).await?;
    end(&platform, router, &stop, loops).await;
    Ok(())
}

/// Makes what each app has outside the database, and clears away what a push left that a dead server cut off.
async fn prepare_apps(platform: &Arc<Platform>) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let apps = store::list_apps(&mut db).await?;
    drop(db);
    let platform = platform.clone();
    tokio::task::spawn_blocking(move || {
        for app in apps {
            platform.logs.open(app.id)?;
            let repository = platform.repositories.repository(&app.id.to_string())?;
            if repository.exists() {
                repository.recover()?;
            }
        }
        Ok(())
    })
    .await?
}

/// Answers requests until a signal tells the server to stop, and lets those under way finish.
async fn answer(
    platform: &Arc<Platform>,
    listener: TcpListener,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let service = api::router(platform.clone()).merge(push::routes().with_state(platform.clone()));
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopped = stop.clone();
    let told = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping; replicas go on running");
        stopped.cancel();
    };
    let server = axum::serve(listener, service).with_graceful_shutdown(told);
    let limit = async {
        stop.cancelled().await;
        tokio::time::sleep(FINISH).await;
    };
    tokio::select! {
        done = async { server.await } => done.context("the API ended")?,
        () = limit => warn!("some requests did not finish in time"),
    }
    Ok(())
}

async fn end(
    platform: &Platform,
    router: RouterHandle,
    stop: &CancellationToken,
    loops: [tokio::task::JoinHandle<()>; 3],
) {
    stop.cancel();
    router.shutdown(FINISH).await;
    for handle in loops {
        let _ = tokio::time::timeout(Duration::from_secs(2), handle).await;
    }
    platform.logs.flush();
    platform.store.close().await;
}

async fn start_agent(
    options: &Options,
    program: &Path,
    slugs: slug::SlugStore,
    vault: Arc<store::Vault>,
) -> anyhow::Result<Agent> {
    let dir = options.dir("agent");
    let logs_dir = options.dir("logs");
    let engine = SandboxOptions {
        dir: dir.clone(),
        logs_dir: logs_dir.clone(),
        supervisor: program.to_owned(),
        slugs,
    };
    let agent = AgentOptions {
        dir,
        logs_dir,
        probe_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports: AgentOptions::PORTS,
        seal: Arc::new(VaultSeal::new(vault)),
        engine: Arc::new(SandboxEngine::new(engine)?),
    };
    Agent::start(agent).await
}

/// Makes the data directory and takes it for this process alone.
fn lock(options: &Options) -> anyhow::Result<File> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let dir = &options.data_dir;
    for dir in [dir.clone(), options.dir("run")] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
    }
    // Apps and other users of the machine have no business here.
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    let path = options.dir("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .ok()
        .with_context(|| format!("another paasd uses {}; `paasd stop --data-dir` ends it", dir.display()))?;
    Ok(file)
}

fn announce(options: &Options) -> anyhow::Result<()> {
    let addresses =
        Addresses { pid: std::process::id(), listen: options.listen, router: options.router_listen };
    let file = options.dir("run").join("addresses.json");
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, serde_json::to_vec(&addresses)?)?;
    std::fs::rename(&fresh, &file)?;
    info!("API and git at http://{}, apps at {}", options.listen, options.web_url("APP"));
    Ok(())
}

/// Returns an address that reaches a listener which may listen on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Each visitor's connection and each connection to a replica is a file.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}

async fn stop_all(options: Options) -> anyhow::Result<()> {
    if !options.dir("lock").exists() {
        bail!(
            "{} is not the data directory of a paasd; --data-dir names another",
            options.data_dir.display()
        );
    }
    let deadline = Instant::now() + STOP;
    end_server(&options, deadline).await?;
    let _lock = lock(&options)?;
    let vault = Arc::new(store::Vault::open_file(&options.dir("secret-key"))?);
    let slugs = slug::SlugStore::local(&options.dir("blobs"))?;
    let agent = start_agent(&options, &std::env::current_exe()?, slugs, vault).await?;
    let generation = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(u64::MAX);
    agent.set_desired(HostDesired { generation, replicas: Vec::new() });
    let mut reports = agent.reports();
    let gone = reports.wait_for(|report| report.generation >= generation && report.replicas.is_empty());
    let gone = tokio::time::timeout_at(deadline.into(), gone).await.map(|gone| gone.is_ok());
    if gone != Ok(true) {
        bail!("some replicas did not end within {} s", STOP.as_secs());
    }
    agent.shutdown().await;
    info!("the server and all replicas have ended");
    Ok(())
}

async fn end_server(options: &Options, deadline: Instant) -> anyhow::Result<()> {
    let mut told = false;
    while let Err(busy) = lock(options) {
        if Instant::now() > deadline {
            return Err(busy);
        }
        if !told && let Some(pid) = running(options) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .context("cannot end the server")?;
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Whoever holds the lock wrote this file, or is about to.
fn running(options: &Options) -> Option<rustix::process::Pid> {
    let bytes = std::fs::read(options.dir("run").join("addresses.json")).ok()?;
    let addresses: Addresses = serde_json::from_slice(&bytes).ok()?;
    rustix::process::Pid::from_raw(i32::try_from(addresses.pid).ok()?)
}
