//! Opens the database and hands out transactions. Reads see one moment; writes take turns, so that whoever reads,
//! decides and writes in one transaction is alone with what it read, on `SQLite` and on `Postgres`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, Executor as _, Row as _};

use crate::database_url::DatabaseUrl;
use crate::error::{Error, Result};
use crate::leadership::count_turns;
use crate::postgres::{self, News};
use crate::transaction::{Db, Transaction};
use crate::vault::random;
use crate::versions::{refused, run_migrations};

/// How long a caller waits for its turn before it is told that the database is too busy.
const TURN: Duration = Duration::from_secs(30);

/// Takes the one place of a writer at once, instead of at the first write.
const BEGIN: &str = "begin immediate";

/// Connections that may read at once.
const READERS: u32 = 4;

/// On `Postgres` one server at a time carries them out, under a lock of the migrator's. An `SQLite` file belongs to whoever
/// has the lock of its directory.
pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The database.
#[derive(Clone)]
pub struct Store {
    readers: AnyPool,
    writers: AnyPool,
    /// A connection that is asked for nothing but whether others have written.
    watcher: Option<AnyPool>,
    server: Option<Arc<Server>>,
    /// How long a statement may take; one on a file takes as long as it takes.
    statement: Option<Duration>,
}

/// How much had been written at a moment. Equal ones say that nothing was written between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written(i64);

/// A database server, which other processes use as well.
struct Server {
    url: DatabaseUrl,
    /// For what must not wait for anybody's turn.
    aside: AnyPool,
    /// Tells what this process wrote from what others did.
    name: String,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "Store({})", server.url),
            None => f.write_str("Store(a file)"),
        }
    }
}

impl Store {
    /// Opens the `SQLite` file, made with mode 0600 if it is not there, and brings its tables up to date.
    ///
    /// # Errors
    /// A file that cannot be used, or tables that a newer version made.
    pub async fn open_file(path: &Path) -> Result<Self> {
        create_private(path)
            .map_err(|error| Error::File(format!("{} cannot be used", path.display()), error))?;
        let store = Self::connect_file(path).await?;
        store.migrate(None).await?;
        Ok(store)
    }

    /// Opens a `SQLite` file as it is.
    pub(crate) async fn connect_file(path: &Path) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let name: String = path.to_string_lossy().chars().map(escaped).collect();
        let url = format!("sqlite://{name}");
        let (writers, readers) = (pool(&url, 1).await?, pool(&url, READERS).await?);
        Ok(Self { writers, readers, watcher: Some(pool(&url, 1).await?), server: None, statement: None })
    }

    /// Opens the `Postgres` database and brings its tables up to date. Waits a minute for one that does not answer.
    ///
    /// # Errors
    /// A database that cannot be reached or used, or tables that a newer version made.
    pub async fn open_url(url: &DatabaseUrl) -> Result<Self> {
        let store = Self::connect_url(url).await?;
        store.migrate(None).await?;
        Ok(store)
    }

    /// Opens the `Postgres` database as it is.
    pub(crate) async fn connect_url(url: &DatabaseUrl) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let writers = postgres::pool(url, postgres::WRITERS).await?;
        let readers = postgres::pool(url, postgres::READERS).await?;
        let aside = postgres::pool(url, postgres::ASIDE).await?;
        let server = Server { url: url.clone(), aside, name: hex::encode(random::<8>()?) };
        let statement = Some(postgres::STATEMENT);
        Ok(Self { readers, writers, watcher: None, server: Some(Arc::new(server)), statement })
    }

    /// Waits no longer than this for what a statement comes to.
    #[must_use]
    pub fn limiting_statements(self, to: Duration) -> Self {
        Self { statement: Some(to), ..self }
    }

    /// Tells whether other servers may use the database at the same time.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.server.is_some()
    }

    /// Returns what tells of the writes of other servers, if there may be any.
    #[must_use]
    pub fn news(&self) -> Option<News> {
        self.server.as_ref().map(|server| News::new(server.url.clone(), server.name.clone()))
    }

    /// Begins to read. All reads through it see the same moment.
    ///
    /// # Errors
    /// A database that fails, is away or is too busy.
    pub async fn read(&self) -> Result<Transaction> {
        match &self.server {
            Some(_) => postgres::begin_read(&self.readers, self.statement).await,
            None => Ok(Transaction::new(self.readers.begin().await?, self.statement)),
        }
    }

    /// Returns how much has been written by anybody, which costs much less than to read it. What is read after this is at
    /// least as new.
    ///
    /// # Errors
    /// A database that fails, is away or is too busy.
    pub async fn written(&self) -> Result<Written> {
        match &self.watcher {
            // <https://www.sqlite.org/pragma.html#pragma_data_version>
            Some(watcher) => {
                let row = sqlx::query("pragma data_version").fetch_one(watcher).await?;
                Ok(Written(row.try_get(0)?))
            }
            None => {
                let turns = count_turns(&mut *self.read().await?).await?;
                Ok(Written(i64::try_from(turns).unwrap_or(i64::MAX)))
            }
        }
    }

    /// Begins to write: waits for its turn, then no other writes until it ends. What was committed is on disk.
    ///
    /// # Errors
    /// A database that fails, is away or is too busy.
    pub async fn write(&self) -> Result<Transaction> {
        match &self.server {
            Some(server) => postgres::begin_write(&self.writers, &server.name, self.statement).await,
            None => self.write_file().await,
        }
    }

    /// Brings the tables up to date, or an empty database to those of an earlier version.
    ///
    /// # Errors
    /// A database that fails, or tables that a newer version made.
    pub(crate) async fn migrate(&self, to: Option<i64>) -> Result<()> {
        match &self.server {
            Some(server) => postgres::migrate(&server.url, to).await,
            None => run_migrations(&self.writers, to).await.map_err(refused),
        }
    }

    /// Begins to write a row that nothing else goes by, without waiting for its turn where the database allows that.
    ///
    /// # Errors
    /// A database that fails, is away or is too busy.
    pub(crate) async fn write_aside(&self) -> Result<Transaction> {
        match &self.server {
            Some(server) => postgres::begin_aside(&server.aside, self.statement).await,
            None => self.write_file().await,
        }
    }

    /// Tells the other servers once the transaction is committed, if there may be any.
    pub(crate) async fn tell(&self, db: &mut Db) -> Result<()> {
        match &self.server {
            Some(server) => postgres::tell(db, &server.name).await,
            None => Ok(()),
        }
    }

    async fn write_file(&self) -> Result<Transaction> {
        let begun = match self.writers.begin_with(BEGIN).await {
            Ok(transaction) => transaction,
            // Another has its turn; nothing is wrong with the connection.
            Err(error @ (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)) => return Err(error.into()),
            Err(error) => {
                // A transaction that could not be ended, as on a full disk, leaves a connection that can begin no other.
                tracing::warn!(%error, "the writing connection is opened anew");
                self.writers.acquire().await?.close().await?;
                self.writers.begin_with(BEGIN).await?
            }
        };
        Ok(Transaction::new(begun, self.statement))
    }

    /// Ends all connections after their transactions.
    pub async fn close(&self) {
        if let Some(server) = &self.server {
            server.aside.close().await;
        }
        self.writers.close().await;
        self.readers.close().await;
        if let Some(watcher) = &self.watcher {
            watcher.close().await;
        }
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

pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
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
