//! What can go wrong with the database, by what a caller can do about it.

use crate::vault::VaultError;

/// What databases call a full disk: `SQLite` (<https://sqlite.org/rescode.html#full>) and `Postgres`
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), as the codes below.
const FULL: [&str; 2] = ["13", "53100"];

/// A connection's plan is older than its table.
const PLAN_CHANGED: &str = "0A000";

/// The server is shut down, has crashed, starts, has no connection left, or ended what took too long.
const AWAY: [&str; 8] = ["57P01", "57P02", "57P03", "53300", "25P03", "25P04", "55P03", "57014"];

/// The first letters of all codes for broken connections.
const CONNECTION: &str = "08";

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
    /// The database is away or too busy; what was asked may work in a moment. What was being committed may have been.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// Everything else.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// A newer version has worked with the database.
    #[error(
        "a newer paasd has worked with this database: its newest migration is {found}, and this one knows {known}; start that \
         version again, or restore a backup that this one made (docs/upgrade.md)"
    )]
    Newer {
        /// A migration that is not known.
        found: i64,
        /// The newest that is.
        known: i64,
    },
    /// A database that should be new holds something.
    #[error("the database is not empty; name one without tables")]
    NotEmpty,
    /// The tables could not be brought up to date.
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A file beside the database could not be read or written.
    #[error("{0}")]
    File(String, #[source] std::io::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(inner) => inner.code().unwrap_or_default().into_owned(),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => return Self::Unavailable(error),
            _ => return Self::Database(error),
        };
        if code == PLAN_CHANGED {
            crate::postgres::plans_changed();
        }
        match code.as_str() {
            code if FULL.contains(&code) => Self::DiskFull,
            code if AWAY.contains(&code) || code.starts_with(CONNECTION) || code == PLAN_CHANGED => {
                Self::Unavailable(error)
            }
            _ => Self::Database(error),
        }
    }
}

impl Error {
    /// Turns a broken unique constraint into [`Error::Taken`].
    pub(crate) fn taken(what: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Taken { what },
            _ => Self::from(error),
        }
    }
}
