//! Servers that share the database, and what each observes. Written beside the turn, since it is often.

use std::collections::BTreeSet;

use model::id::{HostId, ReplicaId};
use model::replica::HostReport;
use sqlx::any::AnyRow;

use crate::connection::Store;
use crate::error::Result;
use crate::row::{Columns as _, big, json};
use crate::transaction::Db;

/// What a server last said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// The host that the agent inside it is of.
    pub host_id: HostId,
    /// Where its API is reached.
    pub address: String,
    /// What the agent inside it observes.
    pub report: HostReport,
    /// How much had been written when its router's table was made, as [`crate::count_turns`] counts.
    pub moment: u64,
    /// Replicas that leave and still answer requests of its router.
    pub busy: BTreeSet<ReplicaId>,
    /// Grows with every sign of life.
    pub beat: u64,
}

/// A sign of life of a server.
#[derive(Clone, Copy, Debug)]
pub struct Sign<'a> {
    /// Its name.
    pub name: &'a str,
    /// The host that the agent inside it is of.
    pub host: HostId,
    /// Where its API is reached.
    pub address: &'a str,
    /// What the agent inside it observes; nothing if that has not changed.
    pub report: Option<&'a HostReport>,
    /// How much had been written when its router's table was made.
    pub moment: u64,
    /// Replicas that leave and still answer requests of its router.
    pub busy: &'a BTreeSet<ReplicaId>,
    /// It wakes the other servers.
    pub wakes: bool,
}

fn server(row: &AnyRow) -> Result<Server> {
    Ok(Server {
        name: row.text("name")?,
        host_id: row.parsed("host_id")?,
        address: row.text("address")?,
        report: row.json("report")?,
        moment: row.number("moment")?,
        busy: row.json("busy")?,
        beat: row.number("beat")?,
    })
}

/// Returns all servers by name.
///
/// # Errors
/// A database that fails.
pub async fn list_servers(db: &mut Db) -> Result<Vec<Server>> {
    let rows = sqlx::query("select * from servers order by name").fetch_all(db).await?;
    rows.iter().map(server).collect()
}

impl Store {
    /// Gives a sign of life of a server.
    ///
    /// # Errors
    /// A database that fails or is away.
    pub async fn give_sign(&self, sign: Sign<'_>) -> Result<()> {
        let mut tx = self.write_aside().await?;
        match sign.report {
            Some(report) => introduce(&mut tx, &sign, report).await?,
            None => {
                let statement = "update servers set beat = beat + 1, moment = $2, busy = $3 where name = $1";
                sqlx::query(statement)
                    .bind(sign.name)
                    .bind(big(sign.moment))
                    .bind(json(sign.busy)?)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        if sign.wakes {
            self.tell(&mut tx).await?;
        }
        tx.commit().await
    }
}

async fn introduce(db: &mut Db, sign: &Sign<'_>, report: &HostReport) -> Result<()> {
    sqlx::query(
        "insert into servers (name, host_id, address, report, moment, busy, beat) \
         values ($1, $2, $3, $4, $5, $6, 1) \
         on conflict (name) do update set host_id = excluded.host_id, address = excluded.address, \
         report = excluded.report, moment = excluded.moment, busy = excluded.busy, beat = servers.beat + 1",
    )
    .bind(sign.name)
    .bind(sign.host.to_string())
    .bind(sign.address)
    .bind(json(report)?)
    .bind(big(sign.moment))
    .bind(json(sign.busy)?)
    .execute(db)
    .await?;
    Ok(())
}
