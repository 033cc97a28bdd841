//! After a restore the platform is somewhere else: what ran on the server's own machine is gone, and so is what a backup
//! leaves out. Machines that joined are still there, and what runs on them goes on, the web replicas of releases that the
//! backup does not know included: until others serve in their place.

use crate::error::Result;
use crate::recount::recount_all;
use crate::transaction::Db;

/// Forgets what ran on the server's own machine, so that all of it is started here, and says of build output that it is gone.
///
/// # Errors
/// A database that fails.
pub async fn move_house(db: &mut Db) -> Result<()> {
    let statements = [
        "delete from meta where key like 'backup-hold/%' or key like 'recount/%'",
        "delete from replicas where host_id in (select id from hosts where key_fingerprint is null)",
        "delete from host_apps where host_id in (select id from hosts where key_fingerprint is null)",
        "delete from host_metrics where host_id in (select id from hosts where key_fingerprint is null)",
        "delete from host_meters where host_id in (select id from hosts where key_fingerprint is null)",
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
