//! Machines that run replicas: what each is, and what may be done with it. What was last heard of one is in memory.

use std::net::IpAddr;

use jiff::Timestamp;
use model::id::HostId;
use sqlx::any::AnyRow;

use crate::error::{Error, Result};
use crate::row::{Columns as _, big, now, words};
use crate::transaction::Db;

words! {
    /// What may be done with a host.
    HostState: "host state" {
        /// Takes new replicas.
        Ready = "ready",
        /// Keeps its replicas until they run elsewhere, takes no new ones.
        Draining = "draining",
        /// Unreachable for too long; its replicas are lost.
        Lost = "lost",
        /// No host any more: its key opens nothing, and no list shows it.
        Removed = "removed",
    }
}

/// A machine that runs replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its identity.
    pub id: HostId,
    /// Its name, unique.
    pub name: String,
    /// Where it is: hosts of different zones fail independently.
    pub zone: String,
    /// What may be done with it.
    pub state: HostState,
    /// Why, as a sentence.
    pub state_reason: Option<String>,
    /// Since when.
    pub state_since: Timestamp,
    /// What it was before it was lost.
    pub state_before: Option<HostState>,
    /// What it said of itself, once it has.
    pub facts: HostFacts,
    /// SHA-256 of its public key; none for the agent inside a server.
    pub key_fingerprint: Option<String>,
    /// When it was last heard of, to the minute or so.
    pub last_seen_at: Option<Timestamp>,
    /// How many drills it was told of.
    pub drill: u64,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Host {
    /// Tells whether it is the agent inside a server, and not a machine that joined.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.key_fingerprint.is_none()
    }
}

/// What a host says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Where routers reach it.
    pub address: Option<IpAddr>,
    /// The port of its entry.
    pub entry_port: Option<u16>,
    /// Memory it offers to replicas, in bytes; none: no bound.
    pub memory_bytes: Option<u64>,
    /// Processor time it offers, in thousandths of a core; none: no bound.
    pub cpu_millicores: Option<u64>,
    /// The version of its agent.
    pub version: Option<String>,
    /// Its engine.
    pub engine: Option<String>,
}

fn host(row: &AnyRow) -> Result<Host> {
    let created_at = row.time("created_at")?;
    Ok(Host {
        id: row.parsed("id")?,
        name: row.text("name")?,
        zone: row.text("zone")?,
        state: row.parsed("state")?,
        state_reason: row.text_or_none("state_reason")?,
        state_since: row.time_or_none("state_since")?.unwrap_or(created_at),
        state_before: row.parsed_or_none("state_before")?,
        facts: HostFacts {
            address: row.parsed_or_none("address")?,
            entry_port: row.number_or_none("entry_port")?,
            memory_bytes: row.number_or_none("memory_bytes")?,
            cpu_millicores: row.number_or_none("cpu_millicores")?,
            version: row.text_or_none("version")?,
            engine: row.text_or_none("engine")?,
        },
        key_fingerprint: row.text_or_none("key_fingerprint")?,
        last_seen_at: row.time_or_none("last_seen_at")?,
        drill: row.number("drill")?,
        created_at,
    })
}

/// Returns the host inside a server that has this name, made if it is not there.
///
/// # Errors
/// [`Error::Taken`] if a machine that joined has the name.
pub async fn ensure_host(db: &mut Db, name: &str, zone: &str) -> Result<Host> {
    let row = sqlx::query(
        "insert into hosts (id, name, zone, state, state_since, created_at) values ($1, $2, $3, 'ready', $4, $4) \
         on conflict (name) do update set zone = excluded.zone where hosts.key_fingerprint is null returning *",
    )
    .bind(HostId::new().to_string())
    .bind(name)
    .bind(zone)
    .bind(now())
    .fetch_optional(db)
    .await?;
    host(&row.ok_or(Error::Taken { what: "the host's name" })?)
}

/// Adds a machine that joins. Its key is what it is known by from now on.
///
/// # Errors
/// [`Error::Taken`] if there is a host of this name.
pub async fn create_host(db: &mut Db, name: &str, zone: &str, key_fingerprint: &str) -> Result<Host> {
    let row = sqlx::query(
        "insert into hosts (id, name, zone, state, state_since, key_fingerprint, last_seen_at, created_at) \
         values ($1, $2, $3, 'ready', $4, $5, $4, $4) on conflict do nothing returning *",
    )
    .bind(HostId::new().to_string())
    .bind(name)
    .bind(zone)
    .bind(now())
    .bind(key_fingerprint)
    .fetch_optional(db)
    .await?;
    host(&row.ok_or(Error::Taken { what: "the host's name or key" })?)
}

/// Returns all hosts that were not removed, by name.
///
/// # Errors
/// A database that fails.
pub async fn list_hosts(db: &mut Db) -> Result<Vec<Host>> {
    let rows =
        sqlx::query("select * from hosts where state <> 'removed' order by name").fetch_all(db).await?;
    rows.iter().map(host).collect()
}

/// Returns the host of this id, unless it was removed.
///
/// # Errors
/// A database that fails.
pub async fn find_host(db: &mut Db, id: HostId) -> Result<Option<Host>> {
    let row = sqlx::query("select * from hosts where id = $1 and state <> 'removed'")
        .bind(id.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map(host).transpose()
}

/// Tells whether there ever was a host of this id: one that was removed is remembered.
///
/// # Errors
/// A database that fails.
pub async fn knows_host(db: &mut Db, id: HostId) -> Result<bool> {
    let row =
        sqlx::query("select 1 from hosts where id = $1").bind(id.to_string()).fetch_optional(db).await?;
    Ok(row.is_some())
}

/// Returns the host that a person means: by name, or by id. Removed ones have no name any more.
///
/// # Errors
/// A database that fails.
pub async fn find_host_named(db: &mut Db, name_or_id: &str) -> Result<Option<Host>> {
    let row = sqlx::query("select * from hosts where (name = $1 or id = $1) and state <> 'removed'")
        .bind(name_or_id)
        .fetch_optional(db)
        .await?;
    row.as_ref().map(host).transpose()
}

/// Notes what a host says of itself.
///
/// # Errors
/// A database that fails.
pub async fn set_host_facts(db: &mut Db, id: HostId, facts: &HostFacts) -> Result<()> {
    sqlx::query(
        "update hosts set address = $2, entry_port = $3, memory_bytes = $4, cpu_millicores = $5, version = $6, \
         engine = $7, last_seen_at = $8 where id = $1 and state <> 'removed'",
    )
    .bind(id.to_string())
    .bind(facts.address.map(|address| address.to_string()))
    .bind(facts.entry_port.map(i64::from))
    .bind(facts.memory_bytes.map(big))
    .bind(facts.cpu_millicores.map(big))
    .bind(facts.version.as_deref())
    .bind(facts.engine.as_deref())
    .bind(now())
    .execute(db)
    .await?;
    Ok(())
}

/// Notes when a host was last heard of. Once a minute is enough.
///
/// # Errors
/// A database that fails.
pub async fn touch_host(db: &mut Db, id: HostId, at: Timestamp) -> Result<()> {
    sqlx::query("update hosts set last_seen_at = $2 where id = $1 and state <> 'removed'")
        .bind(id.to_string())
        .bind(at.as_millisecond())
        .execute(db)
        .await?;
    Ok(())
}

/// Lets a host be known by another key, as when it renews its certificate with a fresh one.
///
/// # Errors
/// [`Error::Taken`] if it is another host's.
pub async fn set_host_key(db: &mut Db, id: HostId, key_fingerprint: &str) -> Result<()> {
    sqlx::query("update hosts set key_fingerprint = $2 where id = $1 and state <> 'removed'")
        .bind(id.to_string())
        .bind(key_fingerprint)
        .execute(db)
        .await
        .map_err(Error::taken("the host's key"))?;
    Ok(())
}

/// Says what may be done with a host from now on, and returns it; none if there is no such host. Of one that is lost it
/// says what it will be when it has come back.
///
/// # Errors
/// A database that fails.
pub async fn set_host_drained(
    db: &mut Db,
    id: HostId,
    drain: bool,
    reason: Option<&str>,
) -> Result<Option<Host>> {
    let row = sqlx::query(
        "update hosts set state = case state when 'lost' then 'lost' else $2 end, \
         state_before = case state when 'lost' then $2 end, \
         state_since = case when state = $2 or state = 'lost' then state_since else $4 end, \
         state_reason = case state when 'lost' then state_reason else $3 end \
         where id = $1 and state <> 'removed' returning *",
    )
    .bind(id.to_string())
    .bind(if drain { HostState::Draining.as_str() } else { HostState::Ready.as_str() })
    .bind(reason)
    .bind(now())
    .fetch_optional(db)
    .await?;
    row.as_ref().map(host).transpose()
}

/// Declares a host lost; false if it is not one that could be. Its replicas are to end, so that others are made; what runs
/// once is not run again.
///
/// # Errors
/// A database that fails.
pub async fn lose_host(db: &mut Db, id: HostId, reason: &str) -> Result<bool> {
    let done = sqlx::query(
        "update hosts set state_before = state, state = 'lost', state_reason = $2, state_since = $3 \
         where id = $1 and state in ('ready', 'draining')",
    )
    .bind(id.to_string())
    .bind(reason)
    .bind(now())
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "update replicas set wish = 'stop', drain_deadline = null \
         where host_id = $1 and wish in ('run', 'drain')",
    )
    .bind(id.to_string())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Lets a lost host be what it was before; false if it was not lost.
///
/// # Errors
/// A database that fails.
pub async fn return_host(db: &mut Db, id: HostId, reason: &str) -> Result<bool> {
    let done = sqlx::query(
        "update hosts set state = coalesce(state_before, 'ready'), state_before = null, state_reason = $2, \
         state_since = $3, last_seen_at = $3 where id = $1 and state = 'lost'",
    )
    .bind(id.to_string())
    .bind(reason)
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets a host for good: its key opens nothing from now on, its name is free again, and the replicas that were wanted
/// there are wanted no more, so that others are made elsewhere.
///
/// # Errors
/// A database that fails.
pub async fn remove_host(db: &mut Db, id: HostId, reason: &str) -> Result<bool> {
    sqlx::query("delete from replicas where host_id = $1").bind(id.to_string()).execute(&mut *db).await?;
    sqlx::query("delete from host_meters where host_id = $1").bind(id.to_string()).execute(&mut *db).await?;
    let done = sqlx::query(
        "update hosts set state = 'removed', name = name || '/' || id, key_fingerprint = null, state_before = null, \
         state_reason = $2, state_since = $3 where id = $1 and state <> 'removed'",
    )
    .bind(id.to_string())
    .bind(reason)
    .bind(now())
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Begins a drill and returns its number; none if there is no such host.
///
/// # Errors
/// A database that fails.
pub async fn drill_host(db: &mut Db, id: HostId) -> Result<Option<u64>> {
    let row = sqlx::query(
        "update hosts set drill = drill + 1 where id = $1 and state <> 'removed' returning drill",
    )
    .bind(id.to_string())
    .fetch_optional(db)
    .await?;
    row.as_ref().map(|row| row.number("drill")).transpose()
}
