//! What a wish can come to: a release and maybe an operation, or a refusal that a user can act on.

use jiff::{SignedDuration, Timestamp};
use model::cost::Beyond;
use model::name::ProcessType;
use model::plan::RolloutPhase;
use model::release::ReleaseStatus;
use store::{App, Db, NewOperation, Operation, OperationKind, Release};

use crate::actor::Actor;

/// What a wish came to.
#[derive(Clone, Debug)]
pub struct Made {
    /// The release that was made.
    pub release: Release,
    /// What brings it about; none when there is nothing to roll out.
    pub operation: Option<Operation>,
}

/// Why a wish was refused. The sentences are for users.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// What was asked for makes no sense, or is against a rule.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Which command helps.
        hint: Option<String>,
    },
    /// What was named is not there.
    #[error("{message}")]
    NotFound {
        /// What is not there.
        message: String,
        /// Which command helps.
        hint: Option<String>,
    },
    /// It would cost more than it may.
    #[error(transparent)]
    Beyond(#[from] Beyond),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Something of ours failed.
    #[error(transparent)]
    Ours(#[from] anyhow::Error),
}

impl ChangeError {
    pub(super) fn invalid(message: impl Into<String>, hint: &str) -> Self {
        Self::Invalid { message: message.into(), hint: Some(hint.to_owned()) }
    }

    pub(super) fn not_found(message: impl Into<String>, hint: &str) -> Self {
        Self::NotFound { message: message.into(), hint: Some(hint.to_owned()) }
    }
}

/// Begins to roll a release out, or ends it as succeeded when it has nothing to run.
pub(super) async fn begin(
    db: &mut Db,
    app: &App,
    release: Release,
    kind: OperationKind,
    actor: &Actor,
) -> Result<Made, ChangeError> {
    let Some(slug) = &release.slug else {
        store::set_release_status(db, app.id, release.version, ReleaseStatus::Succeeded, None).await?;
        let release = Release { status: ReleaseStatus::Succeeded, ..release };
        return Ok(Made { release, operation: None });
    };
    let manifest = store::find_slug(db, slug.id).await?.map(|slug| slug.manifest).unwrap_or_default();
    let has_command = manifest.processes.contains_key(&ProcessType::release());
    let (phase, seconds) = if has_command {
        // One deadline for all of it, stored once.
        let seconds = app.settings.release_command_seconds.saturating_add(app.settings.rollout_seconds);
        (RolloutPhase::ReleaseCommand, seconds)
    } else {
        (RolloutPhase::Rolling, app.settings.rollout_seconds)
    };
    let new = NewOperation {
        app: app.id,
        kind,
        version: release.version,
        phase,
        deadline: Timestamp::now() + SignedDuration::from_secs(i64::from(seconds)),
        user: actor.user,
    };
    let operation = store::start_operation(db, new).await?;
    say_gaps(db, app, &operation).await?;
    Ok(Made { release, operation: Some(operation) })
}

/// Says beforehand which process types the change will not be gapless for.
pub(super) async fn say_gaps(db: &mut Db, app: &App, operation: &Operation) -> store::Result<()> {
    for process in app.settings.alone() {
        let text = format!("{process} does not overlap: its old replicas stop before new ones start");
        store::add_step(db, operation.id, &text).await?;
    }
    Ok(())
}
