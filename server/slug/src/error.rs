//! What can go wrong with a slug, in sentences that say what to do.

use std::{fmt::Write, io, path::PathBuf, time::Duration};

use model::slug::Digest;

use crate::store::{is_final, store_reason};

/// Why a slug cannot be packed, kept or run.
#[derive(Debug, thiserror::Error)]
pub enum SlugError {
    /// The packed slug or its tree is over the limit.
    #[error("{}", too_large(*bytes, *limit, largest))]
    TooLarge {
        /// How large it is; nothing if packing stopped at the limit.
        bytes: Option<u64>,
        /// The limit in bytes.
        limit: u64,
        /// The largest directories, with their bytes before compression.
        largest: Vec<(PathBuf, u64)>,
    },
    /// The tree or the image holds too many files.
    #[error("the slug holds more than {0} files and directories; `.slugignore` can leave some out")]
    TooMany(u64),
    /// A program of ours ran longer than it may.
    #[error("{program} was stopped after {} s", within.as_secs())]
    TooSlow {
        /// The program.
        program: &'static str,
        /// The limit.
        within: Duration,
    },
    /// A program of ours failed.
    #[error("{program} failed: {said}")]
    Program {
        /// The program.
        program: &'static str,
        /// Its last words.
        said: String,
    },
    /// The image is not the one that was packed.
    #[error("the image of slug {} is damaged: its content has the digest {}", wanted.short(), found.short())]
    Altered {
        /// The digest that was asked for.
        wanted: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// The image is not in the store.
    #[error("slug {} is not in the store", .0.short())]
    NotFound(Digest),
    /// A tree or an image is or holds what no slug of ours does.
    #[error("the slug is refused because {0}")]
    Refused(String),
    /// The blob store failed.
    #[error("the blob store cannot {verb} slug {}: {}", digest.short(), store_reason(cause))]
    Store {
        /// What was tried.
        verb: &'static str,
        /// The slug.
        digest: Digest,
        /// Why it failed. What a store says in full may hold keys: it is no part of the chain of causes.
        cause: object_store::Error,
    },
    /// The blob store does not answer.
    #[error("the blob store did not answer within {} s", .0.as_secs())]
    StoreSilent(Duration),
    /// The blob store cannot be opened or listed.
    #[error("the blob store cannot be read: {}", store_reason(.0))]
    StoreUnreadable(object_store::Error),
    /// A file or mount of ours could not be handled.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The sandbox could not be made.
    #[error(transparent)]
    Sandbox(#[from] sandbox::SandboxError),
}

impl SlugError {
    /// Tells whether it stays like that until somebody changes something, such as credentials.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Store { cause: error, .. } | Self::StoreUnreadable(error) if is_final(error))
    }

    /// Returns a closure for `map_err` that says what was tried with which file.
    pub(crate) fn file<E: Into<io::Error>>(
        verb: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |source| Self::File { verb, path, source: source.into() }
    }
}

fn too_large(bytes: Option<u64>, limit: u64, largest: &[(PathBuf, u64)]) -> String {
    let mega = |bytes: u64| bytes.div_ceil(1 << 20);
    let mut text = match bytes {
        Some(bytes) => format!("the slug is {} MB, the limit is {} MB", mega(bytes), mega(limit)),
        None => format!("the slug is larger than the limit of {} MB", mega(limit)),
    };
    for (index, (path, bytes)) in largest.iter().enumerate() {
        let lead = if index == 0 { "; before compression" } else { "," };
        let _ = write!(text, "{lead} {} MB in {}", mega(*bytes), path.display());
    }
    text + "; `.slugignore` can leave files out"
}
