//! Opens the database and hands out connections. Reads see one snapshot; writes queue for the one writing
//! connection, so that `SQLite` never has to say that the database is locked.

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, Executor as _};

use crate::error::{Error, Result};

/// A connection inside a transaction: what every function of this crate works on.
pub type Db = sqlx::AnyConnection;

/// A transaction that is undone unless it is committed. It dereferences to [`Db`].
pub type Transaction = sqlx::Transaction<'static, sqlx::Any>;

/// How long a caller waits for its turn before it is told that the database is too busy.
const TURN: Duration = Duration::from_secs(30);

/// Takes the one place of a writer at once, instead of at the first write.
const BEGIN: &str = "begin immediate";

/// Connections that may read at once.
const READERS: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    writers: AnyPool,
}

impl Store {
    /// Opens the `SQLite` file, made with mode 0600 if it is not there, and brings its tables up to date.
    ///
    /// # Errors
    /// A file that cannot be used, or tables that a newer version made.
    pub async fn open_file(path: &Path) -> Result<Self> {
        create_private(path)
            .map_err(|error| Error::File(format!("{} cannot be used", path.display()), error))?;
        let name: String = path.to_string_lossy().chars().map(escaped).collect();
        Self::open(&format!("sqlite://{name}")).await
    }

    /// Opens the database of the URL and brings its tables up to date.
    ///
    /// # Errors
    /// A database that cannot be reached, or tables that a newer version made.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let writers = pool(url, 1).await?;
        MIGRATIONS.run(&writers).await?;
        let readers = pool(url, READERS).await?;
        Ok(Self { readers, writers })
    }

    /// Begins to read. All reads through it see the same moment.
    ///
    /// # Errors
    /// A database that fails or is too busy.
    pub async fn read(&self) -> Result<Transaction> {
        Ok(self.readers.begin().await?)
    }

    /// Begins to write: waits for its turn, then no other writes until it ends. What was committed is on disk.
    ///
    /// # Errors
    /// A database that fails or is too busy.
    pub async fn write(&self) -> Result<Transaction> {
        match self.writers.begin_with(BEGIN).await {
            Ok(transaction) => Ok(transaction),
            // Another has its turn; nothing is wrong with the connection.
            Err(error @ (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)) => Err(error.into()),
            Err(error) => {
                // A transaction that could not be ended, as on a full disk, leaves a connection that can begin no other.
                tracing::warn!(%error, "the writing connection is opened anew");
                self.writers.acquire().await?.close().await?;
                Ok(self.writers.begin_with(BEGIN).await?)
            }
        }
    }

    /// Ends all connections after their transactions.
    pub async fn close(&self) {
        self.writers.close().await;
        self.readers.close().await;
    }
}

async fn pool(url: &str, size: u32) -> Result<AnyPool> {
    let options: AnyConnectOptions = url.parse()?;
    let pool = AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(TURN)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // FULL: with WAL, NORMAL would lose the last acknowledged commits at a power loss.
                connection
                    .execute(
                        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; \
                         pragma busy_timeout = 10000; pragma temp_store = memory",
                    )
                    .await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // The journal beside it inherits the mode.
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// Returns the character as it may stand in the path of a URL.
fn escaped(c: char) -> String {
    match c {
        '%' => "%25".to_owned(),
        '?' => "%3F".to_owned(),
        '#' => "%23".to_owned(),
        _ => c.to_string(),
    }
}
