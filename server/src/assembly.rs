//! Puts a server together: opens what rests on disk, ends what an earlier process had begun, and starts the agent of this
//! machine. Nothing is answered yet.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use agent::Agent;
use anyhow::{Context as _, anyhow, bail};
use store::FirstToken;
use tracing::{info, warn};

use crate::agents::Agents;
use crate::app_logs::AppLogs;
use crate::attempts::Attempts;
use crate::balancers::Witness;
use crate::builds::BuildRoom;
use crate::data_dir::DataDir;
use crate::engine::Chosen;
use crate::facts::Facts;
use crate::leadership::Leadership;
use crate::local_agent::{self, Home};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::outlook::Outlook;
use crate::platform::{Platform, Signals};
use crate::predecessor::Predecessor;
use crate::push::Fetches;
use crate::wishes::Wishes;
use crate::{blobs, engine, instances, offer};

/// Opens what rests on disk and starts the agent that works on it.
pub(crate) async fn assemble(
    mut options: Options,
    entry: Option<SocketAddr>,
) -> anyhow::Result<(Arc<Platform>, Arc<Agent>)> {
    let cloud = instances::open(&options).await?;
    let alone = DataDir::make_alone(&options).await?;
    let vault = Arc::new(store::Vault::open_file(&options.dir("secret-key"))?);
    let store = open_store(&options).await?;
    make_administrator(&store, &options).await?;
    drop(alone);
    let identity = identity(&options)?;
    let leadership = end_leases(&store, &options, &identity).await?;
    let slugs = blobs::open(&options, store.clone()).await?;
    let chosen = engine::choose(options.engine, &options.own("agent")).await?;
    options.engine = chosen.choice();
    let home = Home::of_server(&options, slugs.clone(), vault.clone());
    let agent = Arc::new(local_agent::start(home, &chosen).await?);
    for sentence in &agent.reports().borrow().degraded {
        warn!("{sentence}");
    }
    let here = find_this_host(&store, &options, entry).await?;
    let agents = Agents::open(&store, &vault).await?.certifying_for(options.host_certificate);
    let agents = match crate::agents::read_identities(&options)? {
        Some(identities) => agents.believing(identities),
        None => agents,
    };
    let platform = Arc::new(Platform {
        repositories: git::Repositories::open(&options.dir("repos"))?,
        slugs,
        builder: builder(&options, &chosen)?,
        build_env: build::build_environment(std::env::vars()),
        logs: AppLogs::start(options.dir("logs"))?,
        metrics: Metrics::default(),
        facts: Facts::new(here.id, agent.reports())
            .after(Predecessor::find(&options.own("run")))
            .witnessed(Witness::of(&options)),
        store,
        vault,
        cloud,
        outlook: Outlook::default(),
        agents,
        wishes: Wishes::default(),
        builds: BuildRoom::new(options.builds),
        attempts: Attempts::default(),
        fetches: Fetches::default(),
        signals: Signals::default(),
        leadership,
        identity,
        options,
    });
    Ok((platform, agent))
}

/// Sees to it that somebody can sign in.
async fn make_administrator(store: &store::Store, options: &Options) -> anyhow::Result<()> {
    let file = options.dir("admin-token");
    let first = options.admin_token_sha256.as_ref().map_or(FirstToken::File(&file), FirstToken::Known);
    match (store::bootstrap_admin(store, first).await?, first) {
        (false, _) => {}
        (true, FirstToken::File(path)) => {
            info!("made an administrator; the API token is in {}", path.display())
        }
        (true, FirstToken::Known(_)) => info!("made an administrator, whose API token was made elsewhere"),
    }
    Ok(())
}

async fn open_store(options: &Options) -> anyhow::Result<store::Store> {
    match &options.database_url {
        Some(url) => {
            store::Store::open_url(url).await.with_context(|| format!("cannot use the database {url}"))
        }
        None => Ok(store::Store::open_file(&options.dir("paas.db")).await?),
    }
}

/// The lock of the directory says that no earlier process of this server is there: the leases that it held are over. Where
/// the database is in that directory it was the only one, and this one leads.
async fn end_leases(store: &store::Store, options: &Options, identity: &str) -> anyhow::Result<Leadership> {
    let leadership = Leadership::new(identity.to_owned());
    let mut tx = store.write().await?;
    match store.is_shared() {
        true => store::end_leases_of(&mut tx, &options.server_name).await?,
        false => store::end_leases(&mut tx).await?,
    }
    tx.commit().await?;
    if !store.is_shared() {
        leadership.take(store, &options.listen.to_string()).await?;
    }
    Ok(leadership)
}

/// Returns a name that no other process has or had, and that begins with the server's.
fn identity(options: &Options) -> anyhow::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| anyhow!("no random numbers: {error}"))?;
    Ok(format!("{}/{}/{}", options.server_name, std::process::id(), hex::encode(random)))
}

fn builder(options: &Options, chosen: &Chosen) -> anyhow::Result<build::Builder> {
    let found = build::Tools::find(&options.data_dir);
    let uv = options.uv.clone().or_else(|| found.uv().map(Path::to_owned));
    let tools = build::Tools::new(uv, found.static_server().map(Path::to_owned));
    let host = sandbox::HostFacts::detect(&options.own("run").join("etc"))?;
    let builder = build::Builder::new(Arc::new(host.clone()), tools);
    Ok(engine::builder(chosen, builder, host, &options.own("agent")))
}

async fn find_this_host(
    store: &store::Store,
    options: &Options,
    entry: Option<SocketAddr>,
) -> anyhow::Result<store::Host> {
    let name = match &options.database_url {
        Some(_) => options.server_name.clone(),
        None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    };
    let mut tx = store.write().await?;
    let host = match store::ensure_host(&mut tx, &name, &options.zone).await {
        Err(store::Error::Taken { .. }) => bail!("{}", taken(&name, options.database_url.is_some())),
        found => found?,
    };
    let mut facts = offer::of_this_machine(options);
    (facts.address, facts.entry_port) = entry.map(|entry| (entry.ip(), entry.port())).unzip();
    store::set_host_facts(&mut tx, host.id, &facts).await?;
    tx.commit().await?;
    Ok(host)
}

/// Why the host inside this server cannot have the name that it goes by.
fn taken(name: &str, is_named: bool) -> String {
    let advice = match is_named {
        true => format!(
            "start it with another --server-name, or remove that host with `paasctl hosts:remove {name}` if it is gone"
        ),
        false => "give this machine the hostname that it had, or another".to_owned(),
    };
    format!("this server goes by the name {name}, which a host has that joined the platform: {advice}")
}

/// Makes the log of each app that has none: the server died while the app was made. All else is seen to when it is used.
pub(crate) async fn prepare_apps(platform: &Arc<Platform>) -> anyhow::Result<()> {
    let mut db = platform.store.read().await?;
    let apps = store::app_ids(&mut db).await?;
    drop(db);
    let platform = platform.clone();
    tokio::task::spawn_blocking(move || {
        let present = platform.logs.present()?;
        for app in apps.into_iter().filter(|app| !present.contains(app)) {
            platform.logs.open(app)?;
        }
        Ok(())
    })
    .await?
}
