//! The options as they count once everybody was asked: the command line, the environment, the file, and what is usual.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use fleet::ServerUrl;
use model::cost::Prices;
use model::name::Hostname;
use serde::Deserialize;
use store::{DatabaseUrl, TokenHash};

use crate::fleet_source::FleetSource;

/// How replicas are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// Docker where it answers and has the stack, else bubblewrap; what runs stays where it is.
    #[default]
    Auto,
    /// Containers of the Docker Engine.
    Docker,
    /// bubblewrap.
    Sandbox,
}

/// The options in force.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory for all that must last, absolute.
    pub data_dir: PathBuf,
    /// What of it is this server's own: the same, or a directory in it where servers share a database.
    pub own_dir: PathBuf,
    /// The database that servers share, if it is not a file.
    pub database_url: Option<DatabaseUrl>,
    /// Name of this server among those that share a database.
    pub server_name: String,
    /// Where slugs are kept.
    pub blobs: slug::BlobPlace,
    /// Where a backup is made each night.
    pub backups: Option<slug::BlobPlace>,
    /// Address of the API and the git server.
    pub listen: SocketAddr,
    /// Address of the router.
    pub router_listen: SocketAddr,
    /// Address of the router's TLS, if it speaks it.
    pub router_tls_listen: Option<SocketAddr>,
    /// Address where the agents of other hosts call, if there are any.
    pub agent_listen: Option<SocketAddr>,
    /// Proxies whose word about where requests come from is taken.
    pub trusted_proxies: Vec<router::Network>,
    /// Domain of the apps' own names, in lower case.
    pub domain: String,
    /// Name under which load balancers, where there are any, lead to the API, git and the dashboard.
    pub api_host: Hostname,
    /// How replicas are run.
    pub engine: EngineChoice,
    /// Where hosts come from.
    pub fleet: FleetSource,
    /// What its instances and load balancers cost.
    pub prices: Prices,
    /// Subnets for hosts in a network that was adopted.
    pub aws_subnets: Vec<String>,
    /// Load balancers, by ARN, that were adopted.
    pub aws_balancers: Vec<String>,
    /// Where hosts call the servers, if that was said.
    pub agent_urls: Vec<ServerUrl>,
    /// The file with the certificates with which AWS signs what its instances are.
    pub aws_identity_certificates: Option<PathBuf>,
    /// What is known of the first administrator's token, if it was made elsewhere.
    pub admin_token_sha256: Option<TokenHash>,
    /// Largest push, in bytes.
    pub push_bytes: u64,
    /// Largest slug, in bytes.
    pub slug_bytes: u64,
    /// Longest build, in seconds.
    pub build_seconds: u32,
    /// Memory of one build, in megabytes.
    pub build_mb: u64,
    /// How many builds run at once.
    pub builds: usize,
    /// Free disk below which builds are refused, in bytes.
    pub reserve_bytes: u64,
    /// How long a silent host has to come back until it is lost.
    pub host_grace: Duration,
    /// How long a certificate of a host is good.
    pub host_certificate: Duration,
    /// The zone of this machine's own host.
    pub zone: String,
    /// Memory that this machine offers to replicas, in megabytes of 2^20 bytes, if that was said.
    pub host_mb: Option<u64>,
    /// Cores that this machine offers to replicas, if that was said.
    pub host_cores: Option<u64>,
    /// The uv program, if one was named.
    pub uv: Option<PathBuf>,
}

impl Options {
    /// Returns the address under which visitors reach an app, without a trailing slash; `tls` says that its load balancer speaks
    /// TLS.
    #[must_use]
    pub fn web_url(&self, app: &str, tls: bool) -> String {
        match (self.router_listen.port(), &self.fleet) {
            (_, FleetSource::Aws(_)) if tls => format!("https://{app}.{}", self.domain),
            // A load balancer is in front of the replicas, with its own ports.
            (_, FleetSource::Aws(_)) | (80, _) => format!("http://{app}.{}", self.domain),
            (port, FleetSource::None) => format!("http://{app}.{}:{port}", self.domain),
        }
    }

    /// Returns a directory of this server's own.
    #[must_use]
    pub fn own(&self, name: &str) -> PathBuf {
        self.own_dir.join(name)
    }

    /// Returns a directory below the data directory.
    #[must_use]
    pub fn dir(&self, name: &str) -> PathBuf {
        self.data_dir.join(name)
    }
}
