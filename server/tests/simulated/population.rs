//! A platform before its hosts join: apps that were deployed and have no replicas yet, and a join token for each host. It is
//! written through the store, as the server would have left it.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use model::config::ConfigVars;
use model::formation::Scale;
use model::id::AppId;
use model::name::ProcessType;
use model::plan::RolloutPhase;
use model::release::ReleaseStatus;
use model::slug::SlugManifest;
use store::{App, Db, NewJoinToken, OperationKind, OperationState, ReleaseKind, Serving, Store, User, Vault};

/// Where hosts are.
pub(crate) const ZONES: [&str; 3] = ["a", "b", "c"];

/// Config vars of each app.
const VARS: usize = 10;

/// Returns the zone of a host.
pub(crate) fn zone(number: usize) -> &'static str {
    ZONES[number % ZONES.len()]
}

/// What was written.
pub(crate) struct Population {
    /// The apps, in the order of their names as they were given.
    pub(crate) apps: Vec<AppId>,
    /// A token for each host.
    pub(crate) tokens: Vec<String>,
}

impl Population {
    /// Writes it into an empty data directory.
    pub(crate) fn write(data: &Path, apps: &[&str], hosts: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open_file(&data.join("paas.db")).await.unwrap();
            let vault = Vault::open_file(&data.join("secret-key")).unwrap();
            store::bootstrap_admin(&store, store::FirstToken::File(&data.join("admin-token"))).await.unwrap();
            let repositories = git::Repositories::open(&data.join("repos")).unwrap();
            let agents = paasd::agents::Agents::open(&store, &vault).await.unwrap();
            let mut tx = store.write().await.unwrap();
            let user = store::list_users(&mut tx).await.unwrap().remove(0);
            let mut written = Self { apps: Vec::new(), tokens: Vec::new() };
            for name in apps {
                let app = store::create_app(&mut tx, &name.parse().unwrap(), user.id).await.unwrap();
                deploy(&mut tx, &vault, &user, &app).await;
                repositories.create(&app.id.to_string(), "main").unwrap();
                let log = data.join("logs").join(app.id.to_string());
                logs::LogDir::open(log, logs::Bounds::default()).unwrap();
                written.apps.push(app.id);
            }
            let expires_at = Timestamp::now() + SignedDuration::from_hours(1);
            for number in 0..hosts {
                let new = NewJoinToken { name: None, zone: zone(number), expires_at, user: user.id };
                let (_, secret) = store::create_join_token(&mut tx, new).await.unwrap();
                written.tokens.push(agents.join_token(&secret));
            }
            tx.commit().await.unwrap();
            store.close().await;
            written
        })
    }
}

/// Makes a first release that serves, of a formation without replicas.
async fn deploy(db: &mut Db, vault: &Vault, user: &User, app: &App) {
    let web = ProcessType::web();
    store::ensure_scale(db, app.id, &web, Scale { quantity: 0, ..Scale::default() }).await.unwrap();
    let processes = BTreeMap::from([(web, "serve".to_owned())]);
    let manifest = SlugManifest { processes, ..SlugManifest::default() };
    let digest = format!("{:064x}", app.id.0.as_u128()).parse().unwrap();
    let slug = store::upsert_slug(db, app.id, &digest, 50_000_000, &manifest).await.unwrap();
    let vars = (0..VARS).map(|n| (format!("KEY_{n}").parse().unwrap(), Some("value".into())));
    let config = ConfigVars::default().changed(vars).unwrap();
    let new = store::NewRelease {
        app: app.id,
        kind: ReleaseKind::Deploy,
        description: "Deploy".to_owned(),
        user: user.id,
        slug: Some(slug.id),
        config: &config,
        commit: None,
        build: None,
        rollback_of: None,
    };
    let version = store::create_release(db, vault, new).await.unwrap().version;
    let deadline = Timestamp::now() + SignedDuration::from_mins(5);
    let (kind, phase) = (OperationKind::Deploy, RolloutPhase::Rolling);
    let new = store::NewOperation { app: app.id, kind, version, phase, deadline, user: user.id };
    let operation = store::start_operation(db, new).await.unwrap();
    store::finish_operation(db, operation.id, OperationState::Succeeded, None).await.unwrap();
    store::set_release_status(db, app.id, version, ReleaseStatus::Succeeded, None).await.unwrap();
    store::set_serving(db, app.id, Serving { version, generation: operation.generation }).await.unwrap();
}
