//! Starts the parts in the order in which they need each other, and ends them in the reverse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use agent::{Agent, AgentOptions, SandboxEngine, SandboxOptions};
use anyhow::{Context, anyhow, bail};
use arc_swap::ArcSwap;
use router::{ProbeSecret, Router, RouterHandle, RouterOptions, Routes};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::app_logs::AppLogs;
use crate::builds::BuildRoom;
use crate::data_dir::DataDir;
use crate::facts::Facts;
use crate::options::{EngineChoice, Options, ServeArgs};
use crate::platform::{Platform, Signals};
use crate::reconcile::{Reconciler, RouterEntrance};
use crate::seal::VaultSeal;
use crate::{api, builds, push, sweep};

/// How long visitors' requests may finish when the server is told to stop.
const FINISH: Duration = Duration::from_secs(10);

/// How long requests to the API may; those that would go on, as followers do, are cut off.
const API_FINISH: Duration = Duration::from_secs(1);

/// How long the loops may take to finish what they are at.
const LOOPS_END: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT. Returns the process's exit code.
#[must_use]
pub fn main(args: ServeArgs) -> ExitCode {
    run(args, serve)
}

/// Stops the server of a data directory and all its replicas. Returns the process's exit code.
#[must_use]
pub fn stop(args: ServeArgs) -> ExitCode {
    run(args, crate::stop::stop)
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
    let _taken = DataDir::take(&options)?;
    raise_file_limit();
    let listener = TcpListener::bind(options.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; another server may run there (--listen chooses another)",
            options.listen
        )
    })?;
    options.listen = listener.local_addr()?;
    let secret = ProbeSecret::random();
    let routes = Arc::new(ArcSwap::<Routes>::default());
    let router = Router::start(RouterOptions::new(options.router_listen, secret.clone()), routes.clone())?;
    options.router_listen = router.local_addr();

    let (platform, agent) = assemble(options).await?;
    let entrance = RouterEntrance::new(reachable(router.local_addr()), secret);
    let host = this_host(&platform).await?;
    let reconciler = Reconciler::new(platform.clone(), host, agent, routes, entrance);
    let stop = platform.signals.stop.clone();
    let mut loops = JoinSet::new();
    loops.spawn(reconciler.run(stop.clone()));
    loops.spawn(builds::run_queue(platform.clone(), stop.clone()));
    loops.spawn(sweep::run(platform.clone(), stop.clone()));
    DataDir::announce(&platform.options)?;
    info!("API and git at http://{}, apps at {}", platform.options.listen, platform.options.web_url("APP"));
    let answered = tokio::select! {
        answered = answer(&platform, listener, &stop) => answered,
        // Without its loops the server would take wishes that nobody carries out. Whoever started it starts it again.
        Some(_) = loops.join_next() => Err(anyhow!("a loop of the server ended, which it never should")),
    };
    end(&platform, router, &stop, loops).await;
    answered
}

/// Opens what rests on disk and starts what works on it.
async fn assemble(options: Options) -> anyhow::Result<(Arc<Platform>, Arc<Agent>)> {
    let vault = Arc::new(store::Vault::open_file(&options.dir("secret-key"))?);
    let store = store::Store::open_file(&options.dir("paas.db")).await?;
    if store::bootstrap_admin(&store, &options.dir("admin-token")).await? {
        info!("made an administrator; the API token is in {}", options.dir("admin-token").display());
    }
    let slugs = slug::SlugStore::local(&options.dir("blobs"))?;
    let program = std::env::current_exe().context("cannot find the program that runs")?;
    let agent = Arc::new(start_agent(&options, &program, slugs.clone(), vault.clone()).await?);
    for sentence in &agent.reports().borrow().degraded {
        warn!("{sentence}");
    }
    let platform = Arc::new(Platform {
        repositories: git::Repositories::open(&options.dir("repos"))?,
        hooks: git::hook::HookServer::start(&options.dir("run").join("hook.sock"), &program)?,
        slugs,
        builder: builder(&options)?,
        build_env: build::build_environment(std::env::vars()),
        logs: AppLogs::start(options.dir("logs"))?,
        facts: Facts::new(agent.reports()),
        store,
        vault,
        builds: BuildRoom::new(options.builds),
        signals: Signals::default(),
        options,
    });
    prepare_apps(&platform).await?;
    Ok((platform, agent))
}

fn builder(options: &Options) -> anyhow::Result<build::Builder> {
    let found = build::Tools::find(&options.data_dir);
    let uv = options.uv.clone().or_else(|| found.uv().map(Path::to_owned));
    let tools = build::Tools::new(uv, found.static_server().map(Path::to_owned));
    let host = sandbox::HostFacts::detect(&options.dir("run").join("etc"))?;
    Ok(build::Builder::new(Arc::new(host), tools))
}

async fn this_host(platform: &Platform) -> anyhow::Result<store::Host> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut tx = platform.store.write().await?;
    let host = store::ensure_host(&mut tx, &name, "local").await?;
    tx.commit().await?;
    Ok(host)
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
        tokio::time::sleep(API_FINISH).await;
    };
    tokio::select! {
        done = async { server.await } => done.context("the API ended")?,
        () = limit => info!("clients that were following something have been cut off"),
    }
    Ok(())
}

async fn end(platform: &Platform, router: RouterHandle, stop: &CancellationToken, mut loops: JoinSet<()>) {
    stop.cancel();
    router.shutdown(FINISH).await;
    let _ = tokio::time::timeout(LOOPS_END, async { while loops.join_next().await.is_some() {} }).await;
    platform.logs.flush();
    // Work that hangs may hold a connection; what was committed is on disk either way.
    let _ = tokio::time::timeout(LOOPS_END, platform.store.close()).await;
}

/// Starts the agent of this machine; it adopts what runs already.
pub(crate) async fn start_agent(
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

/// Returns an address that reaches a listener which may listen on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
    }
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
