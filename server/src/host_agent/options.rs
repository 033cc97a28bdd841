//! What `paasd agent` can be told, by option or by environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use fleet::ServerUrl;

use crate::disk::Room;
use crate::options::EngineChoice;

/// The options as given.
#[derive(Args, Clone, Debug)]
pub struct AgentArgs {
    /// Where a server is called, such as `https://10.0.0.1:5001`: its --agent-listen; once for each server
    #[arg(long = "server", env = "PAASD_SERVER", value_name = "URL", value_delimiter = ',', required = true)]
    servers: Vec<ServerUrl>,
    /// File with the token of `paasctl hosts:add`; needed once
    #[arg(long, env = "PAASD_JOIN_TOKEN_FILE", value_name = "FILE")]
    join_token: Option<PathBuf>,
    /// Directory for all that must last
    #[arg(long, env = "PAASD_DATA_DIR", value_name = "DIR", default_value = "data")]
    data_dir: PathBuf,
    /// What the host is called, unless its token says so [default: the machine's name]
    #[arg(long, env = "PAASD_HOST_NAME")]
    name: Option<String>,
    /// Address at which routers reach this host [default: where its connections come from]
    #[arg(long, env = "PAASD_HOST_ADDRESS", value_name = "IP")]
    address: Option<IpAddr>,
    /// Port at which routers reach the replicas of this host, over TLS
    #[arg(long, env = "PAASD_ENTRY_PORT", value_name = "PORT", default_value_t = 5002)]
    entry_port: u16,
    /// Most megabytes of slugs that are kept beside those in use [default: 10000, or a tenth of the disk]
    #[arg(long, env = "PAASD_SLUG_CACHE_MB", value_name = "MB")]
    slug_cache_mb: Option<u64>,
    /// How replicas are run
    #[arg(long, env = "PAASD_ENGINE", value_enum, default_value = "auto")]
    engine: EngineChoice,
    /// Memory that is offered to replicas, in megabytes [default: nine tenths of what there is]
    #[arg(long, env = "PAASD_HOST_MB", value_name = "MB")]
    host_mb: Option<u64>,
    /// Processor cores that are offered to replicas [default: all]
    #[arg(long, env = "PAASD_HOST_CORES", value_name = "N")]
    host_cores: Option<u64>,
}

/// The options in force.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) servers: Vec<ServerUrl>,
    pub(super) join_token: Option<PathBuf>,
    pub(super) data_dir: PathBuf,
    pub(super) name: String,
    pub(super) address: Option<IpAddr>,
    pub(super) entry: SocketAddr,
    slug_cache_mb: Option<u64>,
    pub(super) engine: EngineChoice,
    pub(super) host_mb: Option<u64>,
    pub(super) host_cores: Option<u64>,
}

const MEGABYTE: u64 = 1_000_000;

/// Most bytes of slugs unless told otherwise; on a small disk, a tenth of it.
const SLUG_CACHE: u64 = 10_000 * MEGABYTE;

impl AgentArgs {
    pub(super) fn resolve(self) -> anyhow::Result<Options> {
        let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(Options {
            servers: self.servers,
            join_token: self.join_token,
            data_dir: std::path::absolute(self.data_dir).context("--data-dir")?,
            name: self.name.unwrap_or_else(machine),
            address: self.address,
            entry: SocketAddr::from((self.address.unwrap_or(any), self.entry_port)),
            slug_cache_mb: self.slug_cache_mb,
            host_mb: self.host_mb,
            engine: self.engine,
            host_cores: self.host_cores,
        })
    }
}

impl Options {
    pub(super) fn dir(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }

    /// Returns how many bytes of slugs are kept.
    pub(super) fn slug_cache_bytes(&self) -> u64 {
        let tenth = Room::at(&self.data_dir).map_or(SLUG_CACHE, |room| room.total_bytes / 10);
        self.slug_cache_mb.map_or(SLUG_CACHE.min(tenth), |mb| mb * MEGABYTE)
    }
}
