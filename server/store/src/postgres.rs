//! What `Postgres` needs to keep the promises of the store: one writer at a time, reads of one moment, an end to what a
//! server holds that sleeps, and news of what other servers write.

use std::sync::Mutex;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgListener;
use sqlx::{AnyPool, Connection as _, Executor as _};
use tokio::time::{Instant, timeout};

use crate::database_url::DatabaseUrl;
use crate::error::{Error, Result};
use crate::transaction::{Db, Transaction, within};
use crate::versions::{refused, run_migrations};

/// How long a caller waits for a connection. It is also how long one that asks while the database is away waits for it.
const CONNECTION: Duration = Duration::from_secs(10);

/// How long a statement may take: longer than the database allows it, so that it is the database that ends it, if it can.
pub(crate) const STATEMENT: Duration = Duration::from_secs(35);

/// How long a connection may take to say that it can be used again; otherwise it is closed. Whoever waits for one of the
/// few would wait for that.
const RETURN: Duration = Duration::from_secs(5);

/// How long nothing may be heard of other servers until the line is opened anew: one whose other end has lost its power
/// tells nothing, not even that. What was missed meanwhile is found by those who look.
const QUIET: Duration = Duration::from_secs(60);

/// How long a server that starts waits for a database that starts, too.
const START: Duration = Duration::from_secs(60);

/// All reads see one moment. Also refuses to write by mistake.
const READ: &str = "begin isolation level repeatable read read only";

/// Each statement sees what was committed before it, so also what was while this one waited for its turn.
const WRITE: &str = "begin isolation level read committed";

/// Waits for the turn, and tells the other servers once this is committed.
///
/// Callers read, decide and write in one transaction, and rely on nobody writing in between, as on `SQLite`. Whoever
/// changes this row has that for itself: the next one waits for the row, and reads only after that.
const TURN: &str = "with turn as (update turns set number = number + 1 where id = 1 returning number) \
     select pg_notify('paas', $1) from turn";

/// How the connections for one purpose behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Connections at once.
    pub(crate) size: u32,
    /// What each connection is told at first.
    ///
    /// A server that is paused or cut off in the middle of a transaction would hold the turn of all others for as long
    /// as that lasts: the database ends its connection, and so the transaction, instead.
    settings: &'static str,
}

/// Connections that read. Some hold their moment while they answer somebody slow.
pub(crate) const READERS: Manner = Manner {
    size: 8,
    settings: "set idle_in_transaction_session_timeout = '60s'; set lock_timeout = '10s'; \
        set statement_timeout = '30s'; set application_name = 'paasd'",
};

/// What writes beside the turn.
pub(crate) const ASIDE: Manner = Manner { size: 1, ..WRITERS };

/// Connections that write; those of one process wait for each other before they wait for other processes.
pub(crate) const WRITERS: Manner = Manner {
    size: 1,
    settings: "set idle_in_transaction_session_timeout = '4s'; set lock_timeout = '10s'; \
        set statement_timeout = '30s'; set application_name = 'paasd'; set synchronous_commit = on",
};

/// The connection that changes tables, which takes as long as there are rows. It waits no longer for others than any other does:
/// who comes after it waits behind it.
const MIGRATOR: Manner = Manner {
    size: 1,
    settings: "set idle_in_transaction_session_timeout = '4s'; set lock_timeout = '10s'; \
        set statement_timeout = 0; set application_name = 'paasd'; set synchronous_commit = on",
};

/// What the database says to who waited for a lock until `lock_timeout`.
const LOCKED: &str = "55P03";

/// Brings the tables up to date, or to those of an earlier version. Waits while another server does.
pub(crate) async fn migrate(url: &DatabaseUrl, to: Option<i64>) -> Result<()> {
    let pool = pool(url, MIGRATOR).await?;
    let migrated = loop {
        match run_migrations(&pool, to).await {
            Err(MigrateError::Execute(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some(LOCKED) =>
            {
                tracing::warn!("waiting for another server, which brings the tables of {url} up to date");
            }
            migrated => break migrated,
        }
    };
    // With it goes the lock of the migrator, which one that failed keeps.
    pool.close().await;
    migrated.map_err(refused)
}

/// Opens connections to the database, waiting for it if it is about to start.
pub(crate) async fn pool(url: &DatabaseUrl, manner: Manner) -> Result<AnyPool> {
    let options = url.options()?;
    let pool = AnyPoolOptions::new()
        .max_connections(manner.size)
        .acquire_timeout(CONNECTION)
        .test_before_acquire(true)
        .idle_timeout(None)
        .max_lifetime(Some(Duration::from_secs(3_600)))
        .before_acquire(|_, meta| {
            let born = Instant::now().checked_sub(meta.age);
            Box::pin(async move { Ok(born.is_none_or(plans_hold_since)) })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(manner.settings).await?;
                Ok(())
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                within(Some(Instant::now() + RETURN), connection.ping()).await??;
                Ok(true)
            })
        })
        .connect_lazy_with(options);
    let deadline = Instant::now() + START;
    loop {
        match pool.acquire().await.map_err(Error::from) {
            Ok(_) => return Ok(pool),
            Err(Error::Unavailable(error)) if Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for the database {url}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Begins to read; a statement takes as long as `limit` at most.
pub(crate) async fn begin_read(pool: &AnyPool, limit: Option<Duration>) -> Result<Transaction> {
    begin(pool, READ, limit).await
}

/// Begins to write outside of the turn: only for rows that nothing else goes by.
pub(crate) async fn begin_aside(pool: &AnyPool, limit: Option<Duration>) -> Result<Transaction> {
    begin(pool, WRITE, limit).await
}

/// Begins to write when it is its turn; `name` says who does, so that it is no news to the same.
pub(crate) async fn begin_write(pool: &AnyPool, name: &str, limit: Option<Duration>) -> Result<Transaction> {
    let (pool, name) = (pool.clone(), name.to_owned());
    whole(async move {
        let mut transaction = Transaction::new(pool.begin_with(WRITE).await?, limit);
        sqlx::query(TURN).bind(name).execute(&mut *transaction).await?;
        Ok(transaction)
    })
    .await
}

/// Tells the other servers once this is committed.
pub(crate) async fn tell(db: &mut Db, name: &str) -> Result<()> {
    sqlx::query("select pg_notify('paas', $1)").bind(name).execute(db).await?;
    Ok(())
}

async fn begin(pool: &AnyPool, statement: &'static str, limit: Option<Duration>) -> Result<Transaction> {
    let pool = pool.clone();
    whole(async move { Ok(Transaction::new(pool.begin_with(statement).await?, limit)) }).await
}

/// Carries a beginning through though its caller may be cut off: half of one would leave a connection in the pool with
/// a transaction that nobody knows of, and the turn with it.
async fn whole(begin: impl Future<Output = Result<Transaction>> + Send + 'static) -> Result<Transaction> {
    let begun = tokio::time::timeout(CONNECTION * 3, tokio::spawn(begin)).await;
    begun
        .map_err(|_| Error::Unavailable(sqlx::Error::PoolTimedOut))?
        .map_err(|_| Error::Unavailable(sqlx::Error::WorkerCrashed))?
}

/// When a statement last failed because its plan is older than its table.
static PLANS_CHANGED: Mutex<Option<Instant>> = Mutex::new(None);

/// Takes note that a newer version has changed a table. `Postgres` then refuses what a connection prepared before, so
/// that connection is given up when it is used next.
pub(crate) fn plans_changed() {
    if let Ok(mut changed) = PLANS_CHANGED.lock() {
        *changed = Some(Instant::now());
    }
}

fn plans_hold_since(born: Instant) -> bool {
    PLANS_CHANGED.lock().is_ok_and(|changed| changed.is_none_or(|changed| changed < born))
}

/// Tells that another server has written.
pub struct News {
    url: DatabaseUrl,
    name: String,
    listener: Option<PgListener>,
}

impl News {
    pub(crate) fn new(url: DatabaseUrl, name: String) -> Self {
        Self { url, name, listener: None }
    }

    /// Returns after another server has written, or may have while this one did not hear of it.
    ///
    /// # Errors
    /// The database is away; the next call tries again.
    pub async fn next(&mut self) -> Result<()> {
        let Some(listener) = &mut self.listener else {
            let opened = timeout(CONNECTION, self.listen()).await;
            self.listener = Some(opened.map_err(|_| Error::Unavailable(sqlx::Error::PoolTimedOut))??);
            return Ok(());
        };
        let heard = async {
            loop {
                match listener.try_recv().await {
                    Ok(Some(told)) if told.payload() == self.name => {}
                    Ok(_) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        match timeout(QUIET, heard).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.listener = None;
                Err(error)
            }
            Err(_) => {
                self.listener = None;
                Ok(())
            }
        }
    }

    async fn listen(&self) -> Result<PgListener> {
        let mut listener = PgListener::connect(self.url.reveal()).await?;
        listener.listen("paas").await?;
        Ok(listener)
    }
}
