//! Which server leads. At most one acts; whoever acts prolongs its lead in the same transaction, and is refused when
//! another has taken it since.

use jiff::Timestamp;
use sqlx::any::AnyRow;

use crate::connection::Store;
use crate::error::Result;
use crate::row::{Columns as _, big};
use crate::transaction::Db;

/// Who leads, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Grows each time another leads.
    pub term: u64,
    /// Who leads, or last did.
    pub owner: Option<String>,
    /// Where its API is reached.
    pub address: Option<String>,
    /// Until when it leads unless it prolongs that, by its own clock.
    pub until: Timestamp,
}

/// A server's lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The term in which it leads.
    pub term: u64,
    /// Its name, which no other process has or had.
    pub owner: String,
}

fn leadership(row: &AnyRow) -> Result<Leadership> {
    Ok(Leadership {
        term: row.number("term")?,
        owner: row.text_or_none("owner")?,
        address: row.text_or_none("address")?,
        until: row.time("until")?,
    })
}

/// Returns who leads.
///
/// # Errors
/// A database that fails.
pub async fn find_leadership(db: &mut Db) -> Result<Leadership> {
    leadership(&sqlx::query("select * from leadership where id = 1").fetch_one(db).await?)
}

/// Takes the lead from whoever had it as it was `seen`. What its holder worked at is free at once: nothing that it writes
/// from now on is taken. Returns nothing if that has changed since.
///
/// # Errors
/// A database that fails.
pub async fn take_lead(
    db: &mut Db,
    seen: &Leadership,
    (owner, address): (&str, &str),
    until: Timestamp,
) -> Result<Option<Lead>> {
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let lead = Lead { term: now.max(seen.term + 1), owner: owner.to_owned() };
    let taken = sqlx::query(
        "update leadership set term = $1, owner = $2, address = $3, until = $4 \
         where id = 1 and term = $5 and until = $6",
    )
    .bind(big(lead.term))
    .bind(owner)
    .bind(address)
    .bind(until.as_millisecond())
    .bind(big(seen.term))
    .bind(seen.until.as_millisecond())
    .execute(&mut *db)
    .await?;
    if taken.rows_affected() == 0 {
        return Ok(None);
    }
    sqlx::query("update operations set lease_until = 0 where state = 'active'").execute(db).await?;
    Ok(Some(lead))
}

/// Prolongs the lead, before what is written in the same transaction. Returns whether that may be written: the lead is not
/// another's.
///
/// # Errors
/// A database that fails.
pub async fn hold_lead(db: &mut Db, lead: &Lead, until: Timestamp) -> Result<bool> {
    let done = sqlx::query("update leadership set until = $3 where id = 1 and term = $1 and owner = $2")
        .bind(big(lead.term))
        .bind(lead.owner.as_str())
        .bind(until.as_millisecond())
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives up the lead if it is not another's, so that nobody needs to wait for its end.
///
/// # Errors
/// A database that fails.
pub async fn give_up_lead(db: &mut Db, lead: &Lead) -> Result<()> {
    hold_lead(db, lead, Timestamp::UNIX_EPOCH).await.map(drop)
}

impl Store {
    /// Prolongs the lead without waiting for anybody's turn. Returns whether it is not another's.
    ///
    /// # Errors
    /// A database that fails or is away.
    pub async fn prolong_lead(&self, lead: &Lead, until: Timestamp) -> Result<bool> {
        let mut tx = self.write_aside().await?;
        let held = hold_lead(&mut tx, lead, until).await?;
        tx.commit().await?;
        Ok(held)
    }
}

/// Returns how many transactions have written: what is read beside it in the same transaction is as of then. Only counted
/// where several servers share the database.
///
/// # Errors
/// A database that fails.
pub async fn count_turns(db: &mut Db) -> Result<u64> {
    sqlx::query("select number from turns where id = 1").fetch_one(db).await?.number("number")
}
