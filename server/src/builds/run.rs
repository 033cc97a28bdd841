//! One build from its commit to its release: source, slug, release, and then its push's end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use build::{BuildFailure, BuildLimits, BuildLog, BuildOutput, BuildRequest, FailureKind};
use fail_point::Step;
use git::{ExportLimits, Fetcher, Moved, ObjectId, Repository, SourceError, SubmoduleLimits};
use model::build::BuildState;
use model::config::ConfigVars;
use sandbox::{Identity, Privilege};
use store::{App, Build, BuildOutcome};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::follow::log_path;
use super::queue::ended;
use super::room::Place;
use super::settle::{commit_of, ledger, maintain, settle};
use super::work_dir::{remove, tidy};
use crate::actor::Actor;
use crate::collect;
use crate::deploy::{self, BuiltSlug, Made};
use crate::disk::{self, Room};
use crate::platform::Platform;
use crate::push;

/// What a build may write to the disk beside its slug, in bytes.
const DISK_BYTES: u64 = 8_000_000_000;

/// What is told of a failure that is not the pusher's.
const OURS: &str = "the server could not carry the build out; its log says why";

/// Processes of one build.
const PIDS: u32 = 2_048;

/// Runs a build and sees its push through to the end. `slot` is given back as soon as the slug is made.
pub(super) async fn run(
    platform: &Arc<Platform>,
    app: &App,
    build: &Build,
    place: &Place,
    slot: OwnedSemaphorePermit,
) {
    let work = Work { platform, app, build, dir: platform.options.dir("builds").join(build.id.to_string()) };
    if let Err(error) = work.make(&place.cancel).await {
        warn!(app.name = %app.name, error = format!("{error:#}"), "a build failed for a reason of ours");
        if let Err(error) = work.finish(ended(BuildState::Failed, OURS)).await {
            warn!(error = format!("{error:#}"), "nor could its end be stored");
        }
    }
    drop(slot);
    if let Err(error) = settle(platform, app.id).await {
        warn!(app.name = %app.name, error = format!("{error:#}"), "the sweep tries again");
        platform.signals.sweep.notify_one();
    }
    place.settled.cancel();
    if let Err(error) = maintain(platform, app.id).await {
        warn!(app.name = %app.name, error = format!("{error:#}"), "a repository stays untidy");
    }
    // Thousands of files go more slowly than a rollout does, so they go after it.
    tidy(&work.dir).await;
    if let Err(error) = collect::bound_cache(platform, app.id).await {
        warn!(app.name = %app.name, error = format!("{error:#}"), "the size of a build cache is not known");
    }
    platform.signals.collect.notify_one();
}

struct Work<'a> {
    platform: &'a Arc<Platform>,
    app: &'a App,
    build: &'a Build,
    dir: PathBuf,
}

impl Work<'_> {
    /// Makes the slug and its release; why there is none is stored and in the log.
    async fn make(&self, cancel: &CancellationToken) -> anyhow::Result<()> {
        tokio::fs::create_dir_all(&self.dir).await?;
        let config = self.config().await?;
        let (path, vars) = (log_path(self.platform, self.build.id), config.clone());
        // A megabyte of values to hide takes longer to prepare for than others should wait.
        let log = tokio::task::spawn_blocking(move || BuildLog::open(&path, &vars)).await??;
        self.platform.builds.writes(self.build.id, log.clone());
        self.platform.changed();
        let started = Instant::now();
        let outcome = self.attempt(config, &log, cancel).await;
        let made = match outcome {
            Ok(output) => self.release(output, started, &log).await.map(drop),
            Err(failure) => self.fail(failure, started).await,
        };
        if made.is_err() {
            log.warn(&format!("{OURS}."));
        }
        log.end();
        self.platform.changed();
        made
    }

    async fn attempt(
        &self,
        config: ConfigVars,
        log: &BuildLog,
        cancel: &CancellationToken,
    ) -> Result<BuildOutput, BuildFailure> {
        let seconds = self.seconds();
        let prepared = tokio::select! {
            prepared = self.prepare(config, log) => prepared,
            () = cancel.cancelled() => Err(failure(FailureKind::Cancelled, "the build was cancelled".to_owned(), None)),
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {
                let reason = format!("the source was not there within {seconds} s, the limit of a build");
                Err(failure(FailureKind::TimedOut, reason, None))
            }
        };
        let request = match prepared {
            Ok(request) => request,
            Err(failure) => {
                log.warn(&format!("{}.", failure.reason));
                failure.hint.iter().for_each(|hint| log.warn(hint));
                return Err(failure);
            }
        };
        self.platform.builder.run(request, log, cancel.clone()).await
    }

    /// Looks whether there is room, and fetches the source.
    async fn prepare(&self, config: ConfigVars, log: &BuildLog) -> Result<BuildRequest, BuildFailure> {
        let room = Room::at(&self.dir).map_err(anyhow::Error::from)?;
        let reserve = self.platform.options.reserve_bytes;
        let room =
            if room.refusal(reserve).is_some() { collect::make_room(self.platform).await? } else { room };
        if let Some(why) = room.refusal(reserve) {
            return Err(failure(FailureKind::DiskFull, why, Some(disk::HINT.to_owned())));
        }
        let source = self.source(log).await?;
        Ok(self.request(source, config).await?)
    }

    async fn config(&self) -> anyhow::Result<ConfigVars> {
        let mut db = self.platform.store.read().await?;
        Ok(store::current_config(&mut db, &self.platform.vault, self.app.id).await?)
    }

    /// The time this build may take, in seconds.
    fn seconds(&self) -> u64 {
        let limit = self.platform.options.build_seconds;
        u64::from(self.app.settings.build_seconds.map_or(limit, |seconds| seconds.min(limit)))
    }

    /// Writes the commit out, after a look whether its push is still up to date.
    async fn source(&self, log: &BuildLog) -> Result<PathBuf, BuildFailure> {
        let into = self.dir.join("source");
        remove(&into).await.map_err(anyhow::Error::from)?;
        let (repository, commit) = commit_of(self.platform, self.build)?;
        self.check_branch(&repository, commit).await?;
        let reserve_bytes = self.platform.options.reserve_bytes / 2;
        let limits = (
            &ExportLimits { reserve_bytes, ..ExportLimits::default() },
            &SubmoduleLimits { reserve_bytes, ..SubmoduleLimits::default() },
        );
        let say = |line: &str| log.detail(line);
        let fetcher = self.fetcher()?;
        fetcher.source(&repository, commit, &into, limits, &say).await.map_err(source_failure)?;
        fail_point::reach(Step::SourceWritten);
        Ok(into)
    }

    /// Returns what asks the servers of submodules: the app's user, for whom the packet filter holds.
    fn fetcher(&self) -> anyhow::Result<Fetcher> {
        let Platform { builder, build_env, .. } = &**self.platform;
        Ok(Fetcher {
            host: builder.host().clone(),
            identity: Identity::new(self.app.uid, self.app.uid).context("an app's user is root")?,
            environment: build_env.clone(),
            certificates: build::certificate_binds(build_env),
            cgroup: builder.source_cgroup(self.build.id),
        })
    }

    /// A push that waited behind another may not go forward any more.
    async fn check_branch(&self, repository: &Repository, commit: ObjectId) -> Result<(), BuildFailure> {
        let Some(branch) = self.build.branch.clone() else { return Ok(()) };
        let (repository, forced, name) = (repository.clone(), ledger(self.build).forced, branch.clone());
        let foreseen = tokio::task::spawn_blocking(move || repository.foresee(&name, commit, forced));
        let Moved::Refused(tip) = foreseen.await.map_err(anyhow::Error::from)?? else { return Ok(()) };
        let [reason, hint] = push::not_forward(&branch, tip);
        Err(failure(FailureKind::Source, reason, Some(hint)))
    }

    async fn request(&self, source: PathBuf, config: ConfigVars) -> anyhow::Result<BuildRequest> {
        let mut db = self.platform.store.read().await?;
        let pins = store::find_pins(&mut db, self.app.id).await?;
        let options = &self.platform.options;
        let root = Privilege::detect() == Privilege::Root;
        Ok(BuildRequest {
            build: self.build.id,
            app: self.app.id,
            app_name: self.app.name.clone(),
            identity: if root { Identity::new(self.app.uid, self.app.uid) } else { None },
            source,
            commit: self.build.commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default(),
            branch: self.build.branch.clone().unwrap_or_default(),
            config,
            pins,
            stack: self.app.stack,
            buildpacks: self.app.settings.buildpacks.clone(),
            cache_dir: options.dir("cache").join(self.app.id.to_string()),
            work_dir: self.dir.clone(),
            limits: BuildLimits {
                seconds: self.seconds(),
                memory_mb: options.build_mb,
                pids: PIDS,
                slug_bytes: options.slug_bytes,
                disk_bytes: DISK_BYTES,
                reserve_bytes: options.reserve_bytes,
            },
            build_env: self.platform.build_env.clone(),
            clear_cache: ledger(self.build).clear_cache,
        })
    }

    /// Keeps the slug and makes its release.
    async fn release(&self, output: BuildOutput, started: Instant, log: &BuildLog) -> anyhow::Result<Made> {
        let BuildOutput { slug, manifest, trace, pins, steps } = output;
        fail_point::reach(Step::SlugPacked);
        self.platform.slugs.put(&slug.digest, &slug.image).await?;
        fail_point::reach(Step::SlugStored);
        self.store_trace(&trace).await?;
        let built = BuiltSlug {
            build: self.build.clone(),
            digest: slug.digest,
            bytes: slug.bytes,
            manifest,
            pins,
            commit: self.build.commit.clone(),
            durations: durations(steps, started),
        };
        let made = deploy::release_slug(self.platform, &self.actor(), self.app, built).await?;
        log.step(&format!("Released {}", made.release.version));
        info!(app.name = %self.app.name, release.version = made.release.version.0, "built and released");
        Ok(made)
    }

    fn actor(&self) -> Actor {
        let Build { user_id, user_email, .. } = self.build;
        Actor { user: *user_id, email: user_email.clone(), token: None, remote: None }
    }

    async fn fail(&self, failure: BuildFailure, started: Instant) -> anyhow::Result<()> {
        self.store_trace(&failure.trace).await?;
        let cancelled = failure.kind == FailureKind::Cancelled;
        let state = if cancelled { BuildState::Cancelled } else { BuildState::Failed };
        let outcome = BuildOutcome {
            reason: Some(failure.reason),
            hint: failure.hint,
            durations: durations(failure.steps, started),
            ..ended(state, "")
        };
        self.finish(outcome).await
    }

    async fn store_trace(&self, trace: &model::detection::DetectionTrace) -> anyhow::Result<()> {
        let mut tx = self.platform.store.write().await?;
        store::set_build_trace(&mut tx, self.build.id, trace).await?;
        Ok(tx.commit().await?)
    }

    async fn finish(&self, outcome: BuildOutcome) -> anyhow::Result<()> {
        let mut tx = self.platform.store.write().await?;
        if store::hold_build(&mut tx, self.build, &self.platform.lease()).await? {
            store::finish_build(&mut tx, self.build.id, outcome).await?;
        }
        tx.commit().await?;
        self.platform.changed();
        Ok(())
    }
}

fn source_failure(error: SourceError) -> BuildFailure {
    match error {
        SourceError::Internal(error) => BuildFailure::from(error),
        _ if error.is_for_room() => {
            failure(FailureKind::DiskFull, error.to_string(), Some(disk::HINT.to_owned()))
        }
        SourceError::Submodule(error) => failure(FailureKind::Source, error.to_string(), Some(error.hint())),
        SourceError::Export(error) => failure(FailureKind::Source, error.to_string(), None),
    }
}

fn failure(kind: FailureKind, reason: String, hint: Option<String>) -> BuildFailure {
    BuildFailure { reason, hint, trace: Box::default(), steps: Vec::new(), kind }
}

/// Returns how long each step took and all of it, in milliseconds.
fn durations(steps: Vec<build::Step>, started: Instant) -> BTreeMap<String, u64> {
    let mut durations: BTreeMap<String, u64> = BTreeMap::new();
    for step in steps {
        *durations.entry(step.name).or_default() += milliseconds(step.took);
    }
    durations.insert("total".to_owned(), milliseconds(started.elapsed()));
    durations
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
