//! What can go wrong with the database, by what a caller can do about it.

use crate::vault::VaultError;

/// `SQLite`'s result code for a full disk (<https://sqlite.org/rescode.html#full>).
const SQLITE_FULL: &str = "13";

/// The result of every function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another row has this name already; the sentence is for users.
    #[error("{what} is already taken")]
    Taken {
        /// What is taken, as the start of a sentence, such as `Name`.
        what: &'static str,
    },
    /// The row that should be changed is not there, or not in a state in which that is possible.
    #[error("{0}")]
    Refused(&'static str),
    /// A stored value cannot be read: another program wrote it, or a newer version of this one.
    #[error("column {column} holds what this version cannot read: {why}")]
    Damaged {
        /// The column's name.
        column: String,
        /// What the parser said; never the value.
        why: String,
    },
    /// A sealed value cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There is no room for what should be written.
    #[error("the server's disk is full; nothing was changed")]
    DiskFull,
    /// Everything else.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A file beside the database could not be read or written.
    #[error("{0}")]
    File(String, #[source] std::io::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) if inner.code().as_deref() == Some(SQLITE_FULL) => Self::DiskFull,
            _ => Self::Database(error),
        }
    }
}

impl Error {
    /// Turns a broken unique constraint into [`Error::Taken`].
    pub(crate) fn taken(what: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Taken { what },
            _ => Self::Database(error),
        }
    }
}
