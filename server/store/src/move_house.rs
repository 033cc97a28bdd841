//! After a restore the platform is somewhere else: what ran on the server's own machine is gone, and so is what a backup
//! leaves out. Machines that joined are still there, and what runs on them goes on, the web replicas of releases that the
//! backup does not know included: until others serve in their place.

use sqlx::AssertSqlSafe;

use crate::error::Result;
use crate::recount::recount_all;
use crate::transaction::Db;

/// Tables with rows of the server's own host, which hold it.
const OF_HOSTS: [&str; 4] = ["replicas", "host_apps", "host_metrics", "host_meters"];

/// Forgets what ran on the server's own machine, so that all of it is started here, and says of build output that it is gone.
///
/// # Errors
/// A database that fails.
pub async fn move_house(db: &mut Db) -> Result<()> {
    for table in OF_HOSTS {
        let own = "select id from hosts where key_fingerprint is null";
        let forget = format!("delete from {table} where host_id in ({own})");
        sqlx::query(AssertSqlSafe(forget)).execute(&mut *db).await?;
    }
    let statements = [
        "delete from meta where key like 'backup-hold/%' or key like 'recount/%' or key like 'metrics-counting/%'",
        "delete from hosts where key_fingerprint is null",
        "update builds set trimmed = 1 where trimmed = 0 and state not in ('queued', 'running')",
        "update operations set lease_until = 0",
        "update builds set lease_until = 0",
    ];
    for statement in statements {
        sqlx::query(statement).execute(&mut *db).await?;
    }
    recount_all(db).await
}
