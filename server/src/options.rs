//! What `paasd serve` can be told: by option, by environment, by a TOML file, in this order of precedence.

mod in_force;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use aws::setup::ClusterName;
use clap::Args;
use model::cost::Prices;
use model::fleet::{GRACE, SILENCE};
use model::name::Hostname;
use serde::Deserialize;
use store::{DatabaseUrl, TokenHash};

use crate::fleet_source::{FleetChoice, FleetSource};

pub use in_force::{EngineChoice, Options};

/// The options as given; what is absent comes from the next source.
#[expect(clippy::doc_markdown, reason = "these sentences are also the text of --help")]
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServeArgs {
    /// Directory for all that must last [default: ./data]
    #[arg(long, env = "PAASD_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Postgres database for what must last, shared by several servers; better given by the environment, since it may hold
    /// a password [default: an SQLite file in the data directory]
    #[arg(long, env = "PAASD_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<DatabaseUrl>,
    /// Name of this server among those that share a database [default: the machine's name]
    #[arg(long, env = "PAASD_SERVER_NAME", value_name = "NAME")]
    server_name: Option<String>,
    /// Where slugs are kept: a directory, or s3://BUCKET/PREFIX with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and
    /// AWS_ENDPOINT_URL from the environment [default: blobs in the data directory]
    #[arg(long, env = "PAASD_BLOBS", value_name = "DIR|URL")]
    blobs: Option<slug::BlobPlace>,
    /// Directory or s3://BUCKET/PREFIX where a backup is made each night at 3:30 UTC; the last 14 are kept [default: none]
    #[arg(long, env = "PAASD_BACKUPS", value_name = "DIR|URL")]
    backups: Option<slug::BlobPlace>,
    /// Address of the API and the git server [default: 127.0.0.1:5000]
    #[arg(long, env = "PAASD_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address where the apps are reached [default: 127.0.0.1:8080]
    #[arg(long, env = "PAASD_ROUTER_LISTEN", value_name = "ADDR")]
    router_listen: Option<SocketAddr>,
    /// Address where the apps are reached over TLS; certificates lie in certs/NAME/ of the data directory
    /// [default: none]
    #[arg(long, env = "PAASD_ROUTER_TLS_LISTEN", value_name = "ADDR")]
    router_tls_listen: Option<SocketAddr>,
    /// Address where the agents of other hosts call, such as 0.0.0.0:5001 [default: none]
    #[arg(long, env = "PAASD_AGENT_LISTEN", value_name = "ADDR")]
    agent_listen: Option<SocketAddr>,
    /// Proxies before the router whose X-Forwarded-Proto and -Port are passed on, and before the API, whose X-Forwarded-For is
    /// believed; such as 10.0.0.0/8 [default: none; with --fleet aws the private networks]
    #[arg(long, env = "PAASD_TRUSTED_PROXIES", value_name = "CIDR,…", value_delimiter = ',')]
    trusted_proxies: Option<Vec<String>>,
    /// Domain under which each app has a name [default: localhost]
    #[arg(long, env = "PAASD_DOMAIN")]
    domain: Option<String>,
    /// Name under which load balancers lead to the API, git and the dashboard; for --fleet aws [default: `api` under --domain]
    #[arg(long, env = "PAASD_API_HOST", value_name = "NAME")]
    api_host: Option<String>,
    /// How replicas are run [default: auto]
    #[arg(long, env = "PAASD_ENGINE", value_enum)]
    engine: Option<EngineChoice>,
    /// Where hosts come from: `aws` starts and ends EC2 instances as replicas need them [default: none]
    #[arg(long, env = "PAASD_FLEET", value_enum)]
    fleet: Option<FleetChoice>,
    /// The name that `paasctl aws:up` was given
    #[arg(long, env = "PAASD_AWS_NAME", value_name = "NAME")]
    aws_name: Option<ClusterName>,
    /// TOML file of what instances and load balancers cost, in place of the built-in table
    #[arg(long, env = "PAASD_PRICES", value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Subnets for hosts, by id, where `aws:up` has adopted a network [default: those that it made]
    #[arg(long, env = "PAASD_AWS_SUBNETS", value_name = "SUBNET,…", value_delimiter = ',')]
    aws_subnets: Option<Vec<String>>,
    /// Load balancers, by ARN, where `aws:up` has adopted one [default: those that it made]
    #[arg(long, env = "PAASD_AWS_BALANCERS", value_name = "ARN,…", value_delimiter = ',')]
    aws_balancers: Option<Vec<String>>,
    /// Where hosts call the servers, such as https://10.0.0.1:5001, for hosts that are started by this one
    /// [default: this server alone, at its --agent-listen]
    #[arg(long, env = "PAASD_AGENT_URLS", value_name = "URL,…", value_delimiter = ',')]
    agent_urls: Option<Vec<String>>,
    /// File with AWS's certificate for the region, as PEM, with which it signs what its instances are; needed with --fleet aws
    #[arg(long, env = "PAASD_AWS_IDENTITY_CERTIFICATES", value_name = "FILE")]
    aws_identity_certificates: Option<PathBuf>,
    /// SHA-256 of the first administrator's token, which has 32 random bytes and was made elsewhere; it counts at the first
    /// start [default: a token is made, and written to admin-token in the data directory]
    #[arg(long, env = "PAASD_ADMIN_TOKEN_SHA256", value_name = "HEX")]
    admin_token_sha256: Option<TokenHash>,
    /// Largest push in megabytes [default: 1024]
    #[arg(long, env = "PAASD_PUSH_MB", value_name = "MB")]
    push_mb: Option<u64>,
    /// Largest slug in megabytes [default: 500]
    #[arg(long, env = "PAASD_SLUG_MB", value_name = "MB")]
    slug_mb: Option<u64>,
    /// Longest build in seconds [default: 900]
    #[arg(long, env = "PAASD_BUILD_SECONDS", value_name = "SECONDS")]
    build_seconds: Option<u32>,
    /// Memory of one build in megabytes [default: 2048]
    #[arg(long, env = "PAASD_BUILD_MB", value_name = "MB")]
    build_mb: Option<u64>,
    /// How many builds run at once [default: 2]
    #[arg(long, env = "PAASD_BUILDS", value_name = "N")]
    builds: Option<usize>,
    /// Free disk in megabytes below which builds are refused [default: 1024]
    #[arg(long, env = "PAASD_RESERVE_MB", value_name = "MB")]
    reserve_mb: Option<u64>,
    /// Seconds after which a host that is not heard of is lost and its replicas start elsewhere [default: 30]
    #[arg(long, env = "PAASD_HOST_GRACE", value_name = "SECONDS")]
    host_grace: Option<u64>,
    /// Seconds for which a certificate of a host is good; half of that before its end it is renewed [default: a day]
    #[arg(long, env = "PAASD_HOST_CERTIFICATE_SECONDS", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..))]
    host_certificate_seconds: Option<u64>,
    /// The zone of this machine's own host [default: local]
    #[arg(long, env = "PAASD_ZONE", value_name = "ZONE")]
    zone: Option<String>,
    /// Memory in megabytes that this machine offers to replicas [default: four times what it has; none with --fleet aws]
    #[arg(long, env = "PAASD_HOST_MB", value_name = "MB")]
    host_mb: Option<u64>,
    /// Cores that this machine offers to replicas [default: four times what it has; none with --fleet aws]
    #[arg(long, env = "PAASD_HOST_CORES", value_name = "N")]
    host_cores: Option<u64>,
    /// The uv program for Python builds [default: found beside paasd, in the data directory, or on PATH]
    #[arg(long, env = "PAASD_UV", value_name = "PATH")]
    uv: Option<PathBuf>,
    /// Take the place of the server that runs: it answers what it was asked and leaves
    #[arg(long)]
    #[serde(skip)]
    pub(crate) replace: bool,
    /// TOML file with these options, named as here without the dashes in front
    #[arg(long, env = "PAASD_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

const MEGABYTE: u64 = 1_000_000;

impl ServeArgs {
    /// Returns the options in force: these, then those of the file, then the defaults.
    ///
    /// # Errors
    /// The file cannot be read or names an unknown option; a value makes no sense.
    pub fn resolve(self) -> anyhow::Result<Options> {
        let file = match &self.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        let data_dir = self.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("data"));
        let domain = self.domain.or(file.domain).unwrap_or_else(|| "localhost".to_owned());
        let domain: Hostname = domain.parse().context("--domain")?;
        let api_host = self.api_host.or(file.api_host).unwrap_or_else(|| format!("api.{domain}"));
        let api_host = own_host(&api_host).context("--api-host")?;
        let fleet = self.fleet.or(file.fleet).unwrap_or_default();
        let trusted = self.trusted_proxies.or(file.trusted_proxies).unwrap_or_else(|| usual_proxies(fleet));
        let trusted_proxies = trusted.iter().map(|network| network.trim().parse()).collect::<Result<_, _>>();
        let trusted_proxies = trusted_proxies.context("--trusted-proxies")?;
        let pick =
            |given: Option<u64>, in_file: Option<u64>, default: u64| given.or(in_file).unwrap_or(default);
        let data_dir = std::path::absolute(data_dir).context("--data-dir")?;
        let agent_urls = self.agent_urls.or(file.agent_urls).unwrap_or_default();
        let agent_urls = agent_urls.iter().map(|url| url.parse()).collect::<Result<_, _>>();
        let agent_urls = agent_urls.context("--agent-urls")?;
        let agent_listen = self.agent_listen.or(file.agent_listen);
        let database_url = self.database_url.or(file.database_url);
        let server_name = match self.server_name.or(file.server_name) {
            Some(name) => checked(name)?,
            None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        };
        let own_dir = match &database_url {
            Some(_) => data_dir.join("servers").join(checked(server_name.clone())?),
            None => data_dir.clone(),
        };
        let blobs = self.blobs.or(file.blobs).unwrap_or_else(|| slug::BlobPlace::Directory("blobs".into()));
        Ok(Options {
            blobs: blobs.below(&data_dir),
            backups: self.backups.or(file.backups).map(|place| place.below(&data_dir)),
            data_dir,
            own_dir,
            database_url,
            server_name,
            listen: self.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5000))),
            router_listen: self
                .router_listen
                .or(file.router_listen)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            router_tls_listen: self.router_tls_listen.or(file.router_tls_listen),
            agent_listen,
            trusted_proxies,
            domain: domain.as_str().to_owned(),
            api_host,
            engine: self.engine.or(file.engine).unwrap_or_default(),
            fleet: FleetSource::of(fleet, self.aws_name.or(file.aws_name), agent_listen)?,
            prices: prices(self.prices.or(file.prices).as_deref())?,
            aws_subnets: self.aws_subnets.or(file.aws_subnets).unwrap_or_default(),
            aws_balancers: self.aws_balancers.or(file.aws_balancers).unwrap_or_default(),
            agent_urls,
            aws_identity_certificates: self.aws_identity_certificates.or(file.aws_identity_certificates),
            admin_token_sha256: self.admin_token_sha256.or(file.admin_token_sha256),
            push_bytes: pick(self.push_mb, file.push_mb, 1024) * MEGABYTE,
            slug_bytes: pick(self.slug_mb, file.slug_mb, 500) * MEGABYTE,
            build_seconds: self.build_seconds.or(file.build_seconds).unwrap_or(900).max(1),
            build_mb: pick(self.build_mb, file.build_mb, 2048),
            builds: self.builds.or(file.builds).unwrap_or(2).max(1),
            reserve_bytes: pick(self.reserve_mb, file.reserve_mb, 1024) * MEGABYTE,
            host_grace: Duration::from_secs(self.host_grace.or(file.host_grace).unwrap_or(GRACE.as_secs()))
                .max(SILENCE),
            host_certificate: Duration::from_secs(pick(
                self.host_certificate_seconds,
                file.host_certificate_seconds,
                fleet::HOST_LIFE.as_secs(),
            )),
            zone: self.zone.or(file.zone).unwrap_or_else(|| "local".to_owned()),
            host_mb: self.host_mb.or(file.host_mb),
            host_cores: self.host_cores.or(file.host_cores),
            uv: self.uv.or(file.uv),
        })
    }

    /// Returns the file with more options, if one was named.
    pub(crate) fn config_file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a configuration of paasd", path.display()))
    }
}

/// Returns the proxies that are trusted unless somebody says otherwise: the load balancers of a fleet are in its own network, and
/// nobody else there is let in to the control plane.
fn usual_proxies(fleet: FleetChoice) -> Vec<String> {
    match fleet {
        FleetChoice::None => Vec::new(),
        FleetChoice::Aws => ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(str::to_owned).to_vec(),
    }
}

/// Returns a name that one host can have.
fn own_host(name: &str) -> anyhow::Result<Hostname> {
    let host: Hostname = name.parse()?;
    if host.as_str().starts_with('*') {
        bail!("{host} is a pattern, and no name");
    }
    Ok(host)
}

/// Returns the table of prices in the file, or the built-in one.
fn prices(path: Option<&Path>) -> anyhow::Result<Prices> {
    let Some(path) = path else { return Ok(Prices::built_in()) };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("--prices: cannot read {}", path.display()))?;
    Prices::read(&text).with_context(|| format!("--prices: {}", path.display()))
}

/// Returns a server's name if it can name a directory, too.
fn checked(name: String) -> anyhow::Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || name.len() > 63 || name.starts_with('.') || !name.chars().all(plain) {
        bail!("--server-name has up to 63 letters, digits, `-`, `.` and `_`, and does not begin with a dot");
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
