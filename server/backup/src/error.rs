//! What can be wrong with a backup, in words for who wants it back.

use std::io;

/// Why a backup could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is something else.
    #[error("this is not a backup of paasd")]
    Foreign,
    /// The file ends too early.
    #[error("the backup is not whole: it ends in the middle; copy it again, or take another")]
    Truncated,
    /// The content is not what was written.
    #[error("the backup is damaged: {0}; copy it again, or take another")]
    Damaged(String),
    /// It holds what no backup holds.
    #[error("the backup holds what no backup does: {0}; it was not made by paasd")]
    Strange(String),
    /// A later version made it.
    #[error(
        "the backup has format {found}, and this paasd knows {known} at most; a newer paasd made it, use that one"
    )]
    Newer {
        /// Its format.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// What was to be put into it changed meanwhile.
    #[error("{0} changed while it was read")]
    Changed(String),
    /// The file of the backup exists already.
    #[error("{0} is there already and stays as it is; name another file, or a directory")]
    Exists(String),
    /// The disk is full.
    #[error("there is no room left for {0}; nothing is left of it")]
    Full(String),
    /// A file could not be read or written.
    #[error("cannot {verb} {what}")]
    File {
        /// What was tried.
        verb: &'static str,
        /// With what.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// Who took the content could not.
    #[error(transparent)]
    Taker(#[from] anyhow::Error),
}

impl BackupError {
    /// Says what was being done with what when the system failed; a full disk is told apart.
    pub(crate) fn file(verb: &'static str, what: impl ToString) -> impl FnOnce(io::Error) -> Self {
        let what = what.to_string();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(what),
            _ => Self::File { verb, what, source },
        }
    }
}
