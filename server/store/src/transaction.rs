//! A transaction whose statements have an end: the database ends those that take too long, but one whose machine has lost
//! its power ends nothing and says nothing.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use sqlx::any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Any, Describe, Either, Execute, Executor, SqlStr};
use tokio::time::{Instant, timeout_at};

use crate::error::Result;

/// A connection inside a transaction: what every function of this crate works on.
pub struct Db {
    inner: sqlx::Transaction<'static, Any>,
    /// How long a statement may take; a file has no need for that.
    limit: Option<Duration>,
}

/// A transaction that is undone unless it is committed. It dereferences to [`Db`].
pub struct Transaction(Db);

impl Transaction {
    pub(crate) fn new(inner: sqlx::Transaction<'static, Any>, limit: Option<Duration>) -> Self {
        Self(Db { inner, limit })
    }

    /// Makes what was written last.
    ///
    /// # Errors
    /// A database that fails or is away; what was written may have been made to last all the same.
    pub async fn commit(self) -> Result<()> {
        let deadline = self.0.deadline();
        Ok(within(deadline, self.0.inner.commit()).await??)
    }
}

impl Deref for Transaction {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.0
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Db")
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}

impl Db {
    fn deadline(&self) -> Option<Instant> {
        self.limit.map(|limit| Instant::now() + limit)
    }
}

/// Waits for something until the deadline. What a connection is left with then is thrown away when it is given back.
pub(crate) async fn within<T>(
    deadline: Option<Instant>,
    what: impl Future<Output = T>,
) -> std::result::Result<T, sqlx::Error> {
    let Some(deadline) = deadline else { return Ok(what.await) };
    let silent = |_| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "it says nothing"));
    timeout_at(deadline, what).await.map_err(silent)
}

impl<'c> Executor<'c> for &'c mut Db {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, std::result::Result<Either<AnyQueryResult, AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let deadline = self.deadline();
        let rows = (*self.inner).fetch_many(query);
        stream::unfold(Some(rows), move |rows| async move {
            let mut rows = rows?;
            match within(deadline, rows.next()).await {
                Ok(next) => next.map(|row| (row, Some(rows))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, std::result::Result<Option<AnyRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let deadline = self.deadline();
        let row = (*self.inner).fetch_optional(query);
        Box::pin(async move { within(deadline, row).await? })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [AnyTypeInfo],
    ) -> BoxFuture<'e, std::result::Result<AnyStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let deadline = self.deadline();
        let prepared = (*self.inner).prepare_with(sql, parameters);
        Box::pin(async move { within(deadline, prepared).await? })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, std::result::Result<Describe<Any>, sqlx::Error>>
    where
        'c: 'e,
    {
        let deadline = self.deadline();
        let described = (*self.inner).describe(sql);
        Box::pin(async move { within(deadline, described).await? })
    }
}
