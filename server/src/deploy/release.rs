//! A new slug becomes a release: its process types join the formation, its config vars are the app's.

use fail_point::Step;
use model::formation::Scale;
use model::id::{BuildId, SlugId};
use model::pins::Pins;
use model::release::CommitRef;
use model::slug::{Digest, SlugManifest};
use store::{App, Build, BuildOutcome, Db, NewRelease, OperationKind, Release, ReleaseKind};

use super::change::{ChangeError, Made, begin};
use super::config::announcement;
use crate::actor::Actor;
use crate::costs;
use crate::platform::Platform;

/// What a build made.
pub struct BuiltSlug {
    /// The build, as it was begun.
    pub build: Build,
    /// The image's digest; the blob is in the store already.
    pub digest: Digest,
    /// The image's size in bytes.
    pub bytes: u64,
    /// What it holds.
    pub manifest: SlugManifest,
    /// The versions that are pinned from now on.
    pub pins: Pins,
    /// What it was built from.
    pub commit: Option<CommitRef>,
    /// Milliseconds by step of the build.
    pub durations: std::collections::BTreeMap<String, u64>,
}

/// Ends the build as succeeded and makes a release of its slug, in one transaction.
///
/// # Errors
/// A database that fails; an app that was destroyed meanwhile, or a build that another server took over.
pub async fn release_slug(
    platform: &Platform,
    actor: &Actor,
    app: &App,
    built: BuiltSlug,
) -> Result<Made, ChangeError> {
    let mut tx = platform.store.write().await?;
    if !store::hold_build(&mut tx, &built.build, &platform.lease()).await? {
        return Err(ChangeError::Ours(anyhow::anyhow!(
            "the build has ended, or another server has taken it over"
        )));
    }
    let slug = store::upsert_slug(&mut tx, app.id, &built.digest, built.bytes, &built.manifest).await?;
    store::set_pins(&mut tx, app.id, &built.pins).await?;
    let outcome = BuildOutcome {
        state: model::build::BuildState::Succeeded,
        reason: None,
        hint: None,
        slug: Some(slug.id),
        durations: built.durations,
    };
    store::finish_build(&mut tx, built.build.id, outcome).await?;
    let idle = join_formation(platform, &mut tx, app, &built.manifest).await?;
    let release =
        make_release(platform, &mut tx, (actor, app), (built.build.id, slug.id, built.commit)).await?;
    // The settings may have changed while the build ran.
    let app = store::find_app_by_id(&mut tx, app.id).await?.unwrap_or_else(|| app.clone());
    let made = begin(&mut tx, &app, release, OperationKind::Deploy, actor).await?;
    for text in idle {
        if let Some(operation) = &made.operation {
            store::add_step(&mut tx, operation.id, &text).await?;
        }
    }
    fail_point::reach(Step::ReleaseWritten);
    tx.commit().await?;
    fail_point::reach(Step::ReleaseMade);
    platform.logs.event(app.id, "api", Some(made.release.version), announcement(&made, actor));
    platform.wished();
    Ok(made)
}

async fn make_release(
    platform: &Platform,
    db: &mut Db,
    (actor, app): (&Actor, &App),
    (build, slug, commit): (BuildId, SlugId, Option<CommitRef>),
) -> store::Result<Release> {
    let config = store::current_config(db, &platform.vault, app.id).await?;
    let description =
        commit.as_ref().map_or("Deploy".to_owned(), |commit| format!("Deploy {}", commit.short()));
    let new = NewRelease {
        app: app.id,
        kind: ReleaseKind::Deploy,
        description,
        user: actor.user,
        slug: Some(slug),
        config: &config,
        commit,
        build: Some(build),
        rollback_of: None,
    };
    let release = store::create_release(db, &platform.vault, new).await?;
    store::set_build_release(db, build, release.version).await?;
    Ok(release)
}

/// New process types appear: one `web`, none of the others. Present ones stay as they are scaled. Returns a sentence for each
/// new one of which none runs.
async fn join_formation(
    platform: &Platform,
    db: &mut Db,
    app: &App,
    manifest: &SlugManifest,
) -> Result<Vec<String>, ChangeError> {
    let mut formation = store::find_formation(db, app.id).await?;
    let mut idle = Vec::new();
    for process in manifest.processes.keys().filter(|process| process.is_scalable()) {
        if formation.contains_key(process) {
            continue;
        }
        let mut scale = Scale { quantity: u32::from(process.is_web()), ..Scale::default() };
        formation.insert(process.clone(), scale);
        // What is deployed may be right although there is no money to run it: that is said and not refused.
        match costs::judge(platform, db, app, &formation).await {
            Ok(()) if scale.quantity > 0 => {}
            Ok(()) => {
                idle.push(format!("{process}: 0 replicas; start it with `paasctl ps:scale {process}=1`"))
            }
            Err(ChangeError::Beyond(beyond)) => {
                scale.quantity = 0;
                formation.insert(process.clone(), scale);
                idle.push(format!("{process}: 0 replicas, since with one {beyond}; {}", beyond.hint()));
            }
            Err(error) => return Err(error),
        }
        store::ensure_scale(db, app.id, process, scale).await?;
    }
    Ok(idle)
}
