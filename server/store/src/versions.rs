//! Databases of other versions: looked at as they are, made as they were, and refused when they are too new.

use std::path::Path;

use sqlx::migrate::MigrateError;
use sqlx::{AnyPool, Executor as _, Row as _};

use crate::connection::{MIGRATIONS, Store, create_private};
use crate::database_url::DatabaseUrl;
use crate::error::{Error, Result};
use crate::transaction::{Db, Transaction};

/// A transaction that may take its time: a database server ends others that do.
const PATIENT: &str = "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";

/// Returns the migrations that this version knows.
pub fn schemas() -> impl Iterator<Item = i64> {
    MIGRATIONS.iter().map(|migration| migration.version)
}

/// Returns the newest migration that this version knows.
#[must_use]
pub fn newest_schema() -> i64 {
    schemas().max().unwrap_or_default()
}

impl Store {
    /// Opens the `SQLite` file, or the database of the URL if there is one, and brings its tables up to date.
    ///
    /// # Errors
    /// A database that cannot be reached or used, or tables that a newer version made.
    pub async fn open(file: &Path, url: Option<&DatabaseUrl>) -> Result<Self> {
        match url {
            Some(url) => Self::open_url(url).await,
            None => Self::open_file(file).await,
        }
    }

    /// Opens the database as it is, without bringing its tables up to date: a server may be working with it.
    ///
    /// # Errors
    /// A file that is not there, or a database that cannot be reached or used.
    pub async fn look(file: &Path, url: Option<&DatabaseUrl>) -> Result<Self> {
        if let Some(url) = url {
            return Self::connect_url(url).await;
        }
        let found = std::fs::metadata(file);
        found.map_err(|error| Error::File(format!("there is no database at {}", file.display()), error))?;
        Self::connect_file(file).await
    }

    /// Makes the tables of an earlier version, in a new file or in an empty database.
    ///
    /// # Errors
    /// A database that cannot be used, or in which there is something.
    pub async fn make_at(file: &Path, url: Option<&DatabaseUrl>, schema: i64) -> Result<Self> {
        let store = match url {
            Some(url) => Self::connect_url(url).await?,
            None => {
                create_private(file)
                    .map_err(|error| Error::File(format!("{} cannot be used", file.display()), error))?;
                Self::connect_file(file).await?
            }
        };
        store.migrate(Some(schema)).await.map_err(|_| Error::NotEmpty)?;
        let mut db = store.read().await?;
        if find_schema(&mut db).await? != schema || count_users(&mut db).await? > 0 {
            return Err(Error::NotEmpty);
        }
        drop(db);
        Ok(store)
    }

    /// Begins to read something that takes long.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn read_patiently(&self) -> Result<Transaction> {
        self.patient(self.read().await?).await
    }

    /// Begins to write into a database that nobody else uses, which may take long.
    ///
    /// # Errors
    /// A database that fails.
    pub async fn fill(&self) -> Result<Transaction> {
        self.patient(self.write_aside().await?).await
    }

    async fn patient(&self, mut transaction: Transaction) -> Result<Transaction> {
        if self.is_shared() {
            transaction.execute(PATIENT).await?;
        }
        Ok(transaction)
    }
}

/// Returns the newest migration that was made in the database.
///
/// # Errors
/// A database that fails, or that no `paasd` made.
pub async fn find_schema(db: &mut Db) -> Result<i64> {
    let row = sqlx::query("select max(version) as version from _sqlx_migrations").fetch_one(db).await?;
    Ok(row.try_get::<Option<i64>, _>("version")?.unwrap_or_default())
}

async fn count_users(db: &mut Db) -> Result<i64> {
    let row = sqlx::query("select count(*) as users from users").fetch_one(db).await?;
    Ok(row.try_get("users")?)
}

/// Carries out what is left of the migrations, or of those up to one.
pub(crate) async fn run_migrations(pool: &AnyPool, to: Option<i64>) -> std::result::Result<(), MigrateError> {
    match to {
        Some(schema) => MIGRATIONS.run_to(schema, pool).await,
        None => MIGRATIONS.run(pool).await,
    }
}

/// Says what helps against a database that this version cannot bring up to date.
pub(crate) fn refused(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(found) => Error::Newer { found, known: newest_schema() },
        error => Error::Migrate(error),
    }
}
