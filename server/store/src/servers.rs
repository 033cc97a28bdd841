//! Servers that share the database, and what the agent inside each observes. Written beside the turn, since it is often.

use model::id::HostId;
use model::replica::HostReport;
use sqlx::any::AnyRow;

use crate::connection::{Db, Store};
use crate::error::Result;
use crate::row::{Columns as _, json};

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
    /// Grows with every sign of life.
    pub beat: u64,
}

fn server(row: &AnyRow) -> Result<Server> {
    Ok(Server {
        name: row.text("name")?,
        host_id: row.parsed("host_id")?,
        address: row.text("address")?,
        report: row.json("report")?,
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
    /// Gives a sign of life of a server, with what it observes if that is new; that is news to the others.
    ///
    /// # Errors
    /// A database that fails or is away.
    pub async fn give_sign(
        &self,
        (name, address): (&str, &str),
        host: HostId,
        report: Option<&HostReport>,
    ) -> Result<()> {
        let mut tx = self.write_aside().await?;
        let report = match report {
            Some(report) => report,
            None => {
                let told = sqlx::query("update servers set beat = beat + 1 where name = $1").bind(name);
                told.execute(&mut *tx).await?;
                return Ok(tx.commit().await?);
            }
        };
        sqlx::query(
            "insert into servers (name, host_id, address, report, beat) values ($1, $2, $3, $4, 1) \
             on conflict (name) do update set host_id = excluded.host_id, address = excluded.address, \
             report = excluded.report, beat = servers.beat + 1",
        )
        .bind(name)
        .bind(host.to_string())
        .bind(address)
        .bind(json(report)?)
        .execute(&mut *tx)
        .await?;
        self.tell(&mut tx).await?;
        Ok(tx.commit().await?)
    }
}
