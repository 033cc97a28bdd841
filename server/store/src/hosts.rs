//! Machines that run replicas.

use jiff::Timestamp;
use model::id::HostId;
use sqlx::any::AnyRow;

use crate::connection::Db;
use crate::error::Result;
use crate::row::{Columns as _, now, words};

words! {
    /// What may be done with a host.
    HostState: "host state" {
        /// Takes new replicas.
        Ready = "ready",
        /// Keeps its replicas until they run elsewhere, takes no new ones.
        Draining = "draining",
        /// Unreachable for too long; its replicas are lost.
        Lost = "lost",
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
    /// When it was added.
    pub created_at: Timestamp,
}

fn host(row: &AnyRow) -> Result<Host> {
    Ok(Host {
        id: row.parsed("id")?,
        name: row.text("name")?,
        zone: row.text("zone")?,
        state: row.parsed("state")?,
        created_at: row.time("created_at")?,
    })
}

/// Returns the host of this name, made if it is not there.
///
/// # Errors
/// A database that fails.
pub async fn ensure_host(db: &mut Db, name: &str, zone: &str) -> Result<Host> {
    let row = sqlx::query(
        "insert into hosts (id, name, zone, state, created_at) values ($1, $2, $3, 'ready', $4) \
         on conflict (name) do update set zone = excluded.zone returning *",
    )
    .bind(HostId::new().to_string())
    .bind(name)
    .bind(zone)
    .bind(now())
    .fetch_one(db)
    .await?;
    host(&row)
}

/// Returns all hosts by name.
///
/// # Errors
/// A database that fails.
pub async fn list_hosts(db: &mut Db) -> Result<Vec<Host>> {
    let rows = sqlx::query("select * from hosts order by name").fetch_all(db).await?;
    rows.iter().map(host).collect()
}
