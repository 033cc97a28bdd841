//! Who works at what is under way. A lease says until when nobody else should; the fence says how often it changed
//! hands. Whoever writes says which fence he saw: one who slept through the end of his lease is refused in the very
//! transaction in which he would have written.

use jiff::Timestamp;

use crate::builds::Build;
use crate::error::Result;
use crate::operations::Operation;
use crate::row::{big, now};
use crate::transaction::Db;

/// Who holds a lease, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// A name that no other process has or had.
    pub owner: String,
    /// When another may take over.
    pub until: Timestamp,
}

macro_rules! hold {
    ($table:literal, $states:literal) => {
        concat!(
            "update ",
            $table,
            " set lease_until = $3, lease_owner = $2, \
             fence = case when lease_owner = $2 then fence else fence + 1 end \
             where id = $1 and fence = $4 and state in ",
            $states,
            " and (lease_owner = $2 or lease_until < $5)"
        )
    };
}

/// Takes or prolongs the lease of an operation as it was read, to be followed by what was decided about it in the same
/// transaction. Returns whether that may be written: the operation is under way, nobody else works at it, and nobody
/// else has since it was read.
///
/// # Errors
/// A database that fails.
pub async fn hold_operation(db: &mut Db, operation: &Operation, lease: &Lease) -> Result<bool> {
    hold(db, hold!("operations", "('active')"), (operation.id.to_string(), operation.fence), lease).await
}

/// Takes or prolongs the lease of a build as it was begun. Returns whether what follows from it may be written.
///
/// # Errors
/// A database that fails.
pub async fn hold_build(db: &mut Db, build: &Build, lease: &Lease) -> Result<bool> {
    hold(db, hold!("builds", "('running')"), (build.id.to_string(), build.fence), lease).await
}

async fn hold(db: &mut Db, query: &'static str, (id, fence): (String, u64), lease: &Lease) -> Result<bool> {
    let done = sqlx::query(query)
        .bind(id)
        .bind(lease.owner.as_str())
        .bind(lease.until.as_millisecond())
        .bind(big(fence))
        .bind(now())
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the leases that earlier processes of a server held: those whose owner's name begins with this and a slash. Only
/// for one that has the server's lock.
///
/// # Errors
/// A database that fails.
pub async fn end_leases_of(db: &mut Db, server: &str) -> Result<()> {
    let mark = format!("{server}/");
    for statement in [
        "update operations set lease_until = 0 where state = 'active' \
         and substr(lease_owner, 1, length($1)) = $1",
        "update builds set lease_until = 0 where state in ('queued', 'running') \
         and substr(lease_owner, 1, length($1)) = $1",
    ] {
        sqlx::query(statement).bind(mark.as_str()).execute(&mut *db).await?;
    }
    Ok(())
}

/// Ends all leases. Only for a process that knows itself to be the only one: those that held them are dead.
///
/// # Errors
/// A database that fails.
pub async fn end_leases(db: &mut Db) -> Result<()> {
    sqlx::query("update operations set lease_until = 0 where state = 'active'").execute(&mut *db).await?;
    sqlx::query("update builds set lease_until = 0 where state in ('queued', 'running')").execute(db).await?;
    Ok(())
}
