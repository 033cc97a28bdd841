//! What `paasd agent` can be told: by option, by environment, by a TOML file, in this order of precedence.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use fleet::{MetadataUrl, ServerUrl};
use serde::Deserialize;

use super::invitation::{Given, Invitation};
use crate::disk::Room;
use crate::options::EngineChoice;

/// The options as given; what is absent comes from the next source.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AgentArgs {
    /// Where a server is called, such as `https://10.0.0.1:5001`: its --agent-listen; once for each server
    #[arg(long = "server", env = "PAASD_SERVER", value_name = "URL", value_delimiter = ',')]
    #[serde(rename = "server")]
    servers: Vec<ServerUrl>,
    /// File with the token of `paasctl hosts:add`; needed once
    #[arg(long, env = "PAASD_JOIN_TOKEN_FILE", value_name = "FILE")]
    join_token: Option<PathBuf>,
    /// File with what an instance was given at its launch to join; it is removed then
    #[arg(long, env = "PAASD_LAUNCH_SECRET_FILE", value_name = "FILE")]
    launch_secret: Option<Given>,
    /// File with the certificate by which an instance knows the servers, as PEM
    #[arg(long, env = "PAASD_AUTHORITY_FILE", value_name = "FILE")]
    authority: Option<Given>,
    /// Where an instance asks what it is [default: `http://169.254.169.254`]
    #[arg(long, env = "PAASD_METADATA", value_name = "URL")]
    metadata: Option<MetadataUrl>,
    /// Directory for all that must last [default: ./data]
    #[arg(long, env = "PAASD_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What the host is called, unless its token says so [default: the machine's name]
    #[arg(long, env = "PAASD_HOST_NAME")]
    name: Option<String>,
    /// Address at which routers reach this host [default: where its connections come from]
    #[arg(long, env = "PAASD_HOST_ADDRESS", value_name = "IP")]
    address: Option<IpAddr>,
    /// Port at which routers reach the replicas of this host, over TLS [default: 5002]
    #[arg(long, env = "PAASD_ENTRY_PORT", value_name = "PORT")]
    entry_port: Option<u16>,
    /// Load balancers reach replicas at their ports; the network has to keep everybody else from these
    #[arg(long, env = "PAASD_BEHIND_BALANCER")]
    behind_balancer: bool,
    /// Megabytes of copies of slugs, beyond which only those stay that run or that a rollback may need [default: 10000, or
    /// a tenth of the disk]
    #[arg(long, env = "PAASD_SLUG_CACHE_MB", value_name = "MB")]
    slug_cache_mb: Option<u64>,
    /// How replicas are run [default: auto]
    #[arg(long, env = "PAASD_ENGINE", value_enum)]
    engine: Option<EngineChoice>,
    /// Memory that is offered to replicas, in megabytes [default: nine tenths of what there is]
    #[arg(long, env = "PAASD_HOST_MB", value_name = "MB")]
    host_mb: Option<u64>,
    /// Processor cores that are offered to replicas [default: all]
    #[arg(long, env = "PAASD_HOST_CORES", value_name = "N")]
    host_cores: Option<u64>,
    /// TOML file with these options, named as here without the dashes in front; --launch-secret and --authority are
    /// written out in it
    #[arg(long, env = "PAASD_AGENT_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

/// The options in force.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) servers: Vec<ServerUrl>,
    pub(super) invitation: Invitation,
    pub(super) data_dir: PathBuf,
    pub(super) name: String,
    pub(super) address: Option<IpAddr>,
    pub(super) entry: SocketAddr,
    pub(super) behind_balancer: bool,
    slug_cache_mb: Option<u64>,
    pub(super) engine: EngineChoice,
    pub(super) host_mb: Option<u64>,
    pub(super) host_cores: Option<u64>,
}

const MEGABYTE: u64 = 1_000_000;

/// Most bytes of slugs unless told otherwise; on a small disk, a tenth of it.
const SLUG_CACHE: u64 = 10_000 * MEGABYTE;

/// The port of a host's entry unless told otherwise.
const ENTRY_PORT: u16 = 5002;

impl AgentArgs {
    pub(super) fn resolve(self) -> anyhow::Result<Options> {
        let file = match &self.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        let servers = if self.servers.is_empty() { file.servers } else { self.servers };
        if servers.is_empty() {
            bail!("--server says where a server is called, such as https://10.0.0.1:5001");
        }
        let invitation = Invitation::of(
            self.join_token.or(file.join_token),
            self.launch_secret.or(file.launch_secret),
            self.authority.or(file.authority),
            (self.metadata.or(file.metadata), self.config),
        )?;
        let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let data_dir = self.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("data"));
        let address = self.address.or(file.address);
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let entry_port = self.entry_port.or(file.entry_port).unwrap_or(ENTRY_PORT);
        Ok(Options {
            servers,
            invitation,
            data_dir: std::path::absolute(data_dir).context("--data-dir")?,
            name: self.name.or(file.name).unwrap_or_else(machine),
            address,
            entry: SocketAddr::from((address.unwrap_or(any), entry_port)),
            behind_balancer: self.behind_balancer || file.behind_balancer,
            slug_cache_mb: self.slug_cache_mb.or(file.slug_cache_mb),
            host_mb: self.host_mb.or(file.host_mb),
            engine: self.engine.or(file.engine).unwrap_or_default(),
            host_cores: self.host_cores.or(file.host_cores),
        })
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("{} is not a configuration of an agent", path.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(toml: &str) -> anyhow::Result<Options> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        AgentArgs { config: Some(file.path().to_owned()), ..AgentArgs::default() }.resolve()
    }

    #[test]
    fn an_instance_is_told_all_it_needs_by_a_file() {
        let options = args(
            "server = [\"https://10.0.0.1:5001\", \"https://10.0.0.2:5001\"]\n\
             authority = \"\"\"\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n\"\"\"\n\
             launch-secret = \"5ec7e7\"\ndata-dir = \"/var/lib/paas-agent\"\n\
             metadata = \"http://169.254.169.254\"\n",
        )
        .unwrap();
        assert_eq!(options.servers.len(), 2);
        assert_eq!(options.data_dir, Path::new("/var/lib/paas-agent"));
        let launch = options.invitation.launch().unwrap();
        assert!(launch.authority.read().unwrap().contains("MIIB"));
        assert_eq!(launch.metadata, MetadataUrl::default());
        assert_eq!((launch.secret.read().unwrap().as_str(), launch.config.is_some()), ("5ec7e7", true));
    }

    #[test]
    fn what_does_not_go_together_or_is_misspelt_is_an_error_that_names_it() {
        let server = "server = [\"https://a:1\"]\n";
        let errors = [
            (String::new(), "--server"),
            (format!("{server}launch-secret = \"s\"\n"), "--authority"),
            (
                format!("{server}launch-secret = \"s\"\nauthority = \"a\"\njoin-token = \"t\"\n"),
                "--join-token",
            ),
            (format!("{server}launch-secrets = \"s\"\n"), "launch-secrets"),
            ("server = [\"http://a:1\"]\n".to_owned(), "https://HOST:PORT"),
        ];
        for (toml, names) in errors {
            let error = format!("{:#}", args(&toml).unwrap_err());
            assert!(error.contains(names), "{error}");
        }
        assert_eq!(args(server).unwrap().invitation, Invitation::None);
    }
}
