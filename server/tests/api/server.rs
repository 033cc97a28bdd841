//! A server for tests: the real routes, store, vault and logs; no loops, so that what was wished stays to be seen.

use std::net::SocketAddr;
use std::sync::Arc;

use model::access::Scope;
use model::config::ConfigVars;
use model::instances::{Bounds, Settings};
use model::replica::HostReport;
use model::slug::SlugManifest;
use paasd::attempts::{Attempts, Budget};
use paasd::builds::BuildRoom;
use paasd::connections;
use paasd::fleet_source::FleetSource;
use paasd::options::{EngineChoice, Options};
use paasd::platform::{Platform, Signals};
use serde_json::Value;
use store::{App, NewRelease, NewToken, OperationKind, Release, ReleaseKind, User};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Tests of roles fail to sign in much more often than anybody.
const PLENTY: Budget = Budget { failures: 100_000, forgiven_after: std::time::Duration::from_millis(1) };

pub(crate) struct Server {
    pub(crate) platform: Arc<Platform>,
    pub(crate) address: SocketAddr,
    /// An administrator's token.
    pub(crate) admin: String,
    runtime: Runtime,
    agent: ureq::Agent,
    _dir: tempfile::TempDir,
}

/// A response, read whole.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }
}

/// A request to be sent.
pub(crate) struct Ask<'a> {
    server: &'a Server,
    request: ureq::http::request::Builder,
    body: Vec<u8>,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl ToString) -> Self {
        self.body = body.to_string().into_bytes();
        self
    }

    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn send(self) -> Reply {
        let mut response = self.server.agent.run(self.request.body(self.body).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        self.send().expect(status)
    }
}

fn options(dir: &std::path::Path, listen: SocketAddr, fleet: FleetSource) -> Options {
    Options {
        blobs: slug::BlobPlace::Directory(dir.join("blobs")),
        backups: None,
        data_dir: dir.to_owned(),
        own_dir: dir.to_owned(),
        database_url: None,
        server_name: "test".to_owned(),
        listen,
        router_listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
        router_tls_listen: None,
        agent_listen: Some(SocketAddr::from(([127, 0, 0, 1], 5001))),
        trusted_proxies: Vec::new(),
        domain: "localhost".to_owned(),
        api_host: "paas.example.org".parse().unwrap(),
        engine: EngineChoice::Auto,
        push_bytes: 1_000_000,
        slug_bytes: 1_000_000,
        build_seconds: 60,
        build_mb: 100,
        builds: 1,
        reserve_bytes: 0,
        host_grace: model::fleet::GRACE,
        host_certificate: fleet::HOST_LIFE,
        zone: "local".to_owned(),
        host_mb: None,
        fleet,
        prices: model::cost::Prices::built_in(),
        aws_identity_certificates: None,
        admin_token_sha256: None,
        aws_subnets: Vec::new(),
        aws_balancers: Vec::new(),
        agent_urls: Vec::new(),
        host_cores: None,
        uv: None,
    }
}

async fn platform(
    dir: &std::path::Path,
    listen: SocketAddr,
    attempts: Attempts,
    fleet: FleetSource,
) -> Platform {
    let (_, reports) = watch::channel(Arc::new(HostReport::default()));
    let host = sandbox::HostFacts::detect(&dir.join("etc")).unwrap();
    Platform {
        builds: BuildRoom::new(2),
        identity: "this test".to_owned(),
        attempts,
        fetches: paasd::push::Fetches::default(),
        signals: Signals::default(),
        options: options(dir, listen, fleet),
        store: store::Store::open_file(&dir.join("paas.db")).await.unwrap(),
        vault: Arc::new(store::Vault::open_file(&dir.join("secret-key")).unwrap()),
        repositories: git::Repositories::open(&dir.join("repos")).unwrap(),
        slugs: slug::SlugStore::local(&dir.join("blobs")).unwrap(),
        builder: build::Builder::new(Arc::new(host), build::Tools::find(dir)),
        build_env: std::collections::BTreeMap::new(),
        logs: paasd::app_logs::AppLogs::start(dir.join("logs")).unwrap(),
        leadership: paasd::leadership::Leadership::new("this test".to_owned()),
        metrics: paasd::metrics::Metrics::default(),
        facts: paasd::facts::Facts::new(model::id::HostId::new(), reports),
        cloud: None,
        outlook: paasd::outlook::Outlook::default(),
        agents: paasd::agents::Agents::of(fleet::Authority::generate().unwrap()).unwrap(),
        wishes: paasd::wishes::Wishes::default(),
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(Attempts::new(PLENTY, PLENTY))
    }

    /// Starts a server that bears so many failed sign-ins.
    pub(crate) fn start_with(attempts: Attempts) -> Self {
        Self::begin(attempts, FleetSource::None)
    }

    /// Starts a server whose hosts are instances in three zones, of a type of which one costs $66.42 a month, with room for
    /// fourteen replicas.
    pub(crate) fn start_on_fleet() -> Self {
        let server = Self::begin(Attempts::new(PLENTY, PLENTY), FleetSource::Aws("test".parse().unwrap()));
        let zones = ["us-east-1a", "us-east-1b", "us-east-1c"];
        let settings = Settings {
            zones: zones.map(|zone| (zone.to_owned(), Bounds { min: 0, max: 3 })).into(),
            schedules: Vec::new(),
            types: vec!["m7g.large".parse().unwrap()],
            spot: false,
            headroom_percent: 0,
            replaced_per_hour: 6,
            patience: jiff::SignedDuration::from_mins(10),
            boot: model::instances::usual_boot(),
        };
        server.run(async {
            let mut tx = server.platform.store.write().await.unwrap();
            cloud::set_settings(&mut tx, &settings).await.unwrap();
            tx.commit().await.unwrap();
        });
        server
    }

    fn begin(attempts: Attempts, fleet: FleetSource) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let (platform, address) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let platform = Arc::new(platform(dir.path(), address, attempts, fleet).await);
            platform.leadership.take(&platform.store, "this test").await.unwrap();
            let file = dir.path().join("admin-token");
            store::bootstrap_admin(&platform.store, store::FirstToken::File(&file)).await.unwrap();
            let service = paasd::serve::service(&platform);
            let (limits, stop) = (connections::Limits::default(), platform.signals.stop.clone());
            tokio::spawn(connections::serve(listener, service, limits, stop));
            (platform, address)
        });
        let admin = std::fs::read_to_string(dir.path().join("admin-token")).unwrap().trim().to_owned();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            // What is refused before it is read ends its connection, which is no news to who takes another for the next.
            .max_idle_connections(0);
        let agent = ureq::Agent::new_with_config(config.build());
        Self { platform, address, admin, runtime, agent, _dir: dir }
    }

    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: &str, path: &str) -> Ask<'_> {
        let uri =
            if path.starts_with("http") { path.to_owned() } else { format!("http://{}{path}", self.address) };
        Ask {
            server: self,
            request: ureq::http::Request::builder().method(method).uri(uri),
            body: Vec::new(),
        }
    }

    /// A request of the administrator.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        self.bare(method, path).token(&self.admin)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path).expect(200)
    }

    /// Adds a user and returns a token of theirs.
    pub(crate) fn user(&self, email: &str, scope: Scope) -> (User, String) {
        self.run(async {
            let mut tx = self.platform.store.write().await.unwrap();
            let user = match store::find_user(&mut tx, email).await.unwrap() {
                Some(user) => user,
                None => store::create_user(&mut tx, email, Scope::Write).await.unwrap(),
            };
            let new = NewToken { user: user.id, name: "test", scope, expires_at: None };
            let (_, secret) = store::create_token(&mut tx, new).await.unwrap();
            tx.commit().await.unwrap();
            (user, secret.reveal().to_owned())
        })
    }

    pub(crate) fn app(&self, name: &str) -> App {
        self.run(async {
            let mut db = self.platform.store.read().await.unwrap();
            store::find_app(&mut db, name).await.unwrap().unwrap()
        })
    }

    /// Makes a release with a slug, as a deploy does, that serves.
    pub(crate) fn deploy(&self, app: &App, digit: &str) -> Release {
        self.run(async {
            let mut tx = self.platform.store.write().await.unwrap();
            let mut manifest = SlugManifest::default();
            for (process, command) in [("web", "serve"), ("worker", "work")] {
                manifest.processes.insert(process.parse().unwrap(), command.to_owned());
                let quantity = u32::from(process == "web");
                let scale = model::formation::Scale { quantity, ..Default::default() };
                store::ensure_scale(&mut tx, app.id, &process.parse().unwrap(), scale).await.unwrap();
            }
            manifest.packages.insert("flask".to_owned(), format!("{}.0", digit.len()));
            let digest = digit.repeat(64).parse().unwrap();
            let slug = store::upsert_slug(&mut tx, app.id, &digest, 1234, &manifest).await.unwrap();
            let before = store::newest_release_that_counts(&mut tx, app.id).await.unwrap();
            let config = match before {
                Some(release) => {
                    store::release_config(&mut tx, &self.platform.vault, release.id).await.unwrap()
                }
                None => ConfigVars::default(),
            };
            let new = NewRelease {
                app: app.id,
                kind: ReleaseKind::Deploy,
                description: "Deploy 12345678".to_owned(),
                user: app.owner_id,
                slug: Some(slug.id),
                config: &config,
                commit: None,
                build: None,
                rollback_of: None,
            };
            let release = store::create_release(&mut tx, &self.platform.vault, new).await.unwrap();
            let operation = store::NewOperation {
                app: app.id,
                kind: OperationKind::Deploy,
                version: release.version,
                phase: model::plan::RolloutPhase::Rolling,
                deadline: jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5),
                user: app.owner_id,
            };
            let operation = store::start_operation(&mut tx, operation).await.unwrap();
            store::add_step(&mut tx, operation.id, "1 of 1 healthy").await.unwrap();
            let done = store::OperationState::Succeeded;
            store::finish_operation(&mut tx, operation.id, done, None).await.unwrap();
            let status = model::release::ReleaseStatus::Succeeded;
            store::set_release_status(&mut tx, app.id, release.version, status, None).await.unwrap();
            let serving = store::Serving { version: release.version, generation: operation.generation };
            store::set_serving(&mut tx, app.id, serving).await.unwrap();
            tx.commit().await.unwrap();
            release
        })
    }
}
