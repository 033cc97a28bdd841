//! Why a build made no slug, in words for the one who pushed.

use model::detection::DetectionTrace;

use crate::Step;

/// A build that made no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BuildFailure {
    /// What happened, as a sentence.
    pub reason: String,
    /// What helps.
    pub hint: Option<String>,
    /// What detection found, as far as it came.
    pub trace: Box<DetectionTrace>,
    /// What it did until then and how long that took, the step that failed included.
    pub steps: Vec<Step>,
    /// The kind, for those who decide by it.
    pub kind: FailureKind,
}

/// What kind of failure it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// No buildpack applies, or one that was set does not.
    NoMatch,
    /// A buildpack that was set is not known.
    UnknownBuildpack,
    /// A file of the source cannot be used, such as the Procfile.
    Source,
    /// A buildpack failed.
    Compile {
        /// The buildpack.
        buildpack: String,
        /// Its exit status.
        status: i32,
    },
    /// It ran longer than it may.
    TimedOut,
    /// It needed more memory than it may.
    OutOfMemory,
    /// The slug is larger than it may be.
    TooLarge,
    /// It needed more disk than it may, or the disk is full.
    DiskFull,
    /// A user stopped it.
    Cancelled,
    /// The platform failed.
    Ours,
}

impl BuildFailure {
    pub(crate) fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), hint: None, trace: Box::default(), steps: Vec::new() }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns a failure of the platform: the pusher is told that it is not his fault, the log of the server
    /// has the chain of causes.
    pub(crate) fn ours(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "a build failed for a reason of the platform");
        Self::new(FailureKind::Ours, format!("the platform could not carry out the build: {error:#}"))
            .hint("push again; if it stays, tell the platform's operator")
    }
}

impl From<anyhow::Error> for BuildFailure {
    fn from(error: anyhow::Error) -> Self {
        Self::ours(&error)
    }
}
