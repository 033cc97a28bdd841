//! Starts the agent of the machine that this process runs on, be it a server's own or a host's.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::{Agent, AgentOptions};
use anyhow::Context as _;
use slug::SlugStore;
use store::Vault;

use crate::engine::{self, Chosen, Place};
use crate::options::Options;
use crate::seal::VaultSeal;

/// Where an agent keeps and finds things.
pub(crate) struct Home {
    /// The directory of whoever runs the agent; apps see nothing of it.
    data_dir: PathBuf,
    /// The directory of all apps' logs.
    logs_dir: PathBuf,
    /// The ports of ours that apps may not reach.
    ports: Vec<u16>,
    /// Where hosts call the servers, which apps may not, either.
    servers: Vec<SocketAddr>,
    /// Where slugs come from.
    slugs: SlugStore,
    /// Seals the wishes that are kept.
    vault: Arc<Vault>,
    /// Load balancers reach its replicas.
    behind_balancer: bool,
}

impl Home {
    /// Returns that of a server.
    pub(crate) fn of_server(options: &Options, slugs: SlugStore, vault: Arc<Vault>) -> Self {
        let (data_dir, logs_dir) = (options.own_dir.clone(), options.dir("logs"));
        let ports = [Some(options.listen), options.agent_listen].into_iter().flatten();
        let ports = ports.map(|address| address.port()).collect();
        Self { data_dir, logs_dir, ports, servers: Vec::new(), slugs, vault, behind_balancer: false }
    }

    /// Returns that of a host whose entry listens on a port.
    ///
    /// # Errors
    /// The host's secret key cannot be used.
    pub(crate) fn of_host(data_dir: &Path, slugs: SlugStore, entry_port: u16) -> anyhow::Result<Self> {
        let vault = Arc::new(Vault::open_file(&data_dir.join("secret-key"))?);
        let logs_dir = data_dir.join("logs");
        Ok(Self {
            data_dir: data_dir.to_owned(),
            logs_dir,
            ports: vec![entry_port],
            servers: Vec::new(),
            slugs,
            vault,
            behind_balancer: false,
        })
    }

    /// Keeps apps from where these servers are called.
    pub(crate) fn apart_from(self, servers: Vec<SocketAddr>) -> Self {
        Self { servers, ..self }
    }

    /// Lets load balancers reach its replicas, or not.
    pub(crate) fn behind_balancer(self, behind_balancer: bool) -> Self {
        Self { behind_balancer, ..self }
    }
}

/// Starts the agent with an engine; it adopts what runs already.
///
/// # Errors
/// The engine or the directory cannot be used.
pub(crate) async fn start(home: Home, chosen: &Chosen) -> anyhow::Result<Agent> {
    let Home { data_dir, logs_dir, ports, servers, slugs, vault, behind_balancer } = home;
    let dir = data_dir.join("agent");
    let reach = sandbox::Reach {
        data_dir,
        // Up to -2 of what a uid can be; -1 stands for none.
        uids: u32::try_from(store::FIRST_UID)?..=u32::MAX - 1,
        control_ports: ports,
        control_addresses: servers,
        bridges: None,
        balanced_ports: behind_balancer.then_some(AgentOptions::PORTS),
    };
    let program = std::env::current_exe().context("cannot find the program that runs")?;
    let place = Place { dir: dir.clone(), logs_dir: logs_dir.clone(), program, slugs, reach: Some(reach) };
    let agent = AgentOptions {
        dir,
        logs_dir,
        probe_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        ports: AgentOptions::PORTS,
        seal: Arc::new(VaultSeal::new(vault)),
        engine: engine::make(chosen, &place).await?,
    };
    Agent::start(agent).await
}
