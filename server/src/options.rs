//! What `paasd serve` can be told: by option, by environment, by a TOML file, in this order of precedence.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use model::fleet::{GRACE, SILENCE};
use serde::Deserialize;
use store::DatabaseUrl;

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
    /// Proxies before the router whose X-Forwarded-Proto and -Port are passed on, such as 10.0.0.0/8 [default: none]
    #[arg(long, env = "PAASD_TRUSTED_PROXIES", value_name = "CIDR,…", value_delimiter = ',')]
    trusted_proxies: Option<Vec<String>>,
    /// Domain under which each app has a name [default: localhost]
    #[arg(long, env = "PAASD_DOMAIN")]
    domain: Option<String>,
    /// How replicas are run [default: auto]
    #[arg(long, env = "PAASD_ENGINE", value_enum)]
    engine: Option<EngineChoice>,
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
    /// Memory in megabytes that this machine offers to replicas [default: four times what it has]
    #[arg(long, env = "PAASD_HOST_MB", value_name = "MB")]
    host_mb: Option<u64>,
    /// Cores that this machine offers to replicas [default: four times what it has]
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
    /// How replicas are run.
    pub engine: EngineChoice,
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
        let domain: model::name::Hostname = domain.parse().context("--domain")?;
        let trusted = self.trusted_proxies.or(file.trusted_proxies).unwrap_or_default();
        let trusted_proxies = trusted.iter().map(|network| network.trim().parse()).collect::<Result<_, _>>();
        let trusted_proxies = trusted_proxies.context("--trusted-proxies")?;
        let pick =
            |given: Option<u64>, in_file: Option<u64>, default: u64| given.or(in_file).unwrap_or(default);
        let data_dir = std::path::absolute(data_dir).context("--data-dir")?;
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
            agent_listen: self.agent_listen.or(file.agent_listen),
            trusted_proxies,
            domain: domain.as_str().to_owned(),
            engine: self.engine.or(file.engine).unwrap_or_default(),
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

/// Returns a server's name if it can name a directory, too.
fn checked(name: String) -> anyhow::Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || name.len() > 63 || name.starts_with('.') || !name.chars().all(plain) {
        bail!("--server-name has up to 63 letters, digits, `-`, `.` and `_`, and does not begin with a dot");
    }
    Ok(name)
}

impl Options {
    /// Returns the address under which visitors reach an app, without a trailing slash.
    #[must_use]
    pub fn web_url(&self, app: &str) -> String {
        match self.router_listen.port() {
            80 => format!("http://{app}.{}", self.domain),
            port => format!("http://{app}.{}:{port}", self.domain),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_overrules_the_file_and_the_file_the_default() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "listen = \"127.0.0.1:1\"\ndomain = \"Example.com\"\nbuilds = 7\n")
            .unwrap();
        let args = ServeArgs {
            config: Some(file.path().to_owned()),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
            ..ServeArgs::default()
        };
        let options = args.resolve().unwrap();
        assert_eq!((options.listen.port(), options.domain.as_str(), options.builds), (2, "example.com", 7));
        assert_eq!(options.web_url("shop"), "http://shop.example.com:8080");
        assert!(options.data_dir.is_absolute());
    }

    #[test]
    fn trusted_proxies_are_ranges_of_addresses() {
        let args = |text: &str| ServeArgs {
            trusted_proxies: Some(text.split(',').map(str::to_owned).collect()),
            ..ServeArgs::default()
        };
        assert_eq!(args("10.0.0.0/8, fd00::/8").resolve().unwrap().trusted_proxies.len(), 2);
        let error = format!("{:#}", args("10.0.0.0/8,alb").resolve().unwrap_err());
        assert!(error.starts_with("--trusted-proxies: `alb`"), "{error}");
        assert!(ServeArgs::default().resolve().unwrap().router_tls_listen.is_none());
    }

    #[test]
    fn servers_that_share_a_database_have_a_directory_each() {
        let args = |name: Option<&str>, url: Option<&str>| ServeArgs {
            data_dir: Some("/srv/paas".into()),
            database_url: url.map(|url| url.parse().unwrap()),
            server_name: name.map(str::to_owned),
            ..ServeArgs::default()
        };
        let alone = args(Some("a"), None).resolve().unwrap();
        assert_eq!(
            alone.own("run"),
            PathBuf::from("/srv/paas/run"),
            "as it was before there could be several"
        );
        let shared = args(Some("a"), Some("postgres://u:s3cret@db/paas"));
        assert!(!format!("{shared:?}").contains("s3cret"));
        let shared = shared.resolve().unwrap();
        assert!(!format!("{shared:?}").contains("s3cret"));
        assert_eq!(
            (shared.own("run"), shared.dir("blobs")),
            ("/srv/paas/servers/a/run".into(), "/srv/paas/blobs".into())
        );
        assert!(args(Some("../b"), Some("postgres://db/paas")).resolve().is_err());
    }

    #[test]
    fn an_unknown_key_in_the_file_is_an_error_that_names_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "lisen = \"127.0.0.1:1\"\n").unwrap();
        let error =
            ServeArgs { config: Some(file.path().to_owned()), ..ServeArgs::default() }.resolve().unwrap_err();
        assert!(format!("{error:#}").contains("lisen"), "{error:#}");
    }
}
