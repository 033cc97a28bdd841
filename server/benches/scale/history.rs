//! A data directory as years of use would leave it: apps that serve, each with many builds, releases and operations, its
//! repository and its log, and all collected that would have been.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use model::build::BuildState;
use model::config::ConfigVars;
use model::formation::Scale;
use model::name::ProcessType;
use model::plan::RolloutPhase;
use model::release::{CommitRef, ReleaseStatus};
use model::slug::SlugManifest;
use store::{App, Db, OperationKind, OperationState, ReleaseKind, Serving, Store, User, Vault};

/// Writes it.
pub(crate) fn write(data: &Path, apps: usize, releases: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_file(&data.join("paas.db")).await.unwrap();
        let vault = Vault::open_file(&data.join("secret-key")).unwrap();
        store::bootstrap_admin(&store, store::FirstToken::File(&data.join("admin-token"))).await.unwrap();
        let repositories = git::Repositories::open(&data.join("repos")).unwrap();
        for number in 0..apps {
            let mut tx = store.write().await.unwrap();
            let user = store::list_users(&mut tx).await.unwrap().remove(0);
            let name = format!("app-{number}").parse().unwrap();
            let app = store::create_app(&mut tx, &name, user.id).await.unwrap();
            History { vault: &vault, user: &user, app: &app }.write(&mut tx, releases).await;
            tx.commit().await.unwrap();
            repositories.create(&app.id.to_string(), "main").unwrap();
            logs::LogDir::open(data.join("logs").join(app.id.to_string()), logs::Bounds::default()).unwrap();
        }
        store.close().await;
    });
}

struct History<'a> {
    vault: &'a Vault,
    user: &'a User,
    app: &'a App,
}

impl History<'_> {
    async fn write(&self, db: &mut Db, releases: usize) {
        let web = ProcessType::web();
        let none = Scale { quantity: 0, ..Scale::default() };
        store::ensure_scale(db, self.app.id, &web, none).await.unwrap();
        let processes = BTreeMap::from([(web, "gunicorn app:app".to_owned())]);
        let packages = (0..40).map(|n| (format!("package-{n}"), "1.2.3".to_owned())).collect();
        let manifest = SlugManifest { processes, packages, ..SlugManifest::default() };
        let config = ConfigVars::default();
        let vars = (0..10).map(|n| (format!("KEY_{n}").parse().unwrap(), Some("value".into())));
        let config = config.changed(vars).unwrap();
        for _ in 0..releases {
            self.deploy(db, &manifest, &config).await;
        }
        self.collect(db).await;
    }

    async fn deploy(&self, db: &mut Db, manifest: &SlugManifest, config: &ConfigVars) {
        let app = self.app.id;
        let build = model::id::BuildId::new();
        let digest = format!("{:064x}", build.0.as_u128()).parse().unwrap();
        let commit = CommitRef {
            id: format!("{:040x}", build.0.as_u128()),
            subject: "Change".into(),
            author: "Ada".into(),
        };
        let (user, branch) = (self.user.id, Some("main".to_owned()));
        let options = serde_json::json!({});
        let new = store::NewBuild { id: build, app, user, commit: Some(commit.clone()), branch, options };
        store::enqueue_build(db, new).await.unwrap();
        let slug = store::upsert_slug(db, app, &digest, 50_000_000, manifest).await.unwrap();
        let (state, slug) = (BuildState::Succeeded, Some(slug.id));
        let outcome =
            store::BuildOutcome { state, reason: None, hint: None, slug, durations: BTreeMap::new() };
        store::finish_build(db, build, outcome).await.unwrap();
        let new = store::NewRelease {
            app,
            kind: ReleaseKind::Deploy,
            description: format!("Deploy {}", commit.short()),
            user,
            slug,
            config,
            commit: Some(commit),
            build: Some(build),
            rollback_of: None,
        };
        let release = store::create_release(db, self.vault, new).await.unwrap();
        store::set_build_release(db, build, release.version).await.unwrap();
        let deadline = Timestamp::now() + SignedDuration::from_mins(5);
        let (kind, phase, version) = (OperationKind::Deploy, RolloutPhase::Rolling, release.version);
        let new = store::NewOperation { app, kind, version, phase, deadline, user };
        let operation = store::start_operation(db, new).await.unwrap();
        for step in ["web.1 starting", "web.1 healthy", "it serves"] {
            store::add_step(db, operation.id, step).await.unwrap();
        }
        store::finish_operation(db, operation.id, OperationState::Succeeded, None).await.unwrap();
        store::set_release_status(db, app, version, ReleaseStatus::Succeeded, None).await.unwrap();
        store::set_serving(db, app, Serving { version, generation: operation.generation }).await.unwrap();
    }

    async fn collect(&self, db: &mut Db) {
        for slug in store::app_slugs(db, self.app.id).await.unwrap().unneeded() {
            store::collect_slug(db, slug).await.unwrap();
        }
        for build in store::builds_to_silence(db, u32::MAX).await.unwrap() {
            store::silence_build(db, build).await.unwrap();
        }
        for build in store::builds_to_trim(db, u32::MAX).await.unwrap() {
            store::trim_build(db, build).await.unwrap();
        }
        store::trim_operations(db).await.unwrap();
    }
}
