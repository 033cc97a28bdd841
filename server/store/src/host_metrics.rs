//! What the machines of hosts had in use, minute by minute, and how far the minutes of each host were taken.

use std::ops::Range;

use model::host_use::{HostUse, Share};
use model::id::HostId;
use model::metrics::{HostMinute, Meter};
use sqlx::any::AnyRow;

use crate::error::Result;
use crate::row::{Columns as _, big, json};
use crate::transaction::Db;

fn meter(row: &AnyRow) -> Result<Meter> {
    Ok(Meter { minute: row.number("minute")?, told: row.json("told")? })
}

/// Returns how far the minutes of a host were taken.
///
/// # Errors
/// A database that fails.
pub async fn find_meter(db: &mut Db, host: HostId) -> Result<Meter> {
    let row = sqlx::query("select minute, told from host_meters where host_id = $1")
        .bind(host.to_string())
        .fetch_optional(db)
        .await?;
    row.as_ref().map_or_else(|| Ok(Meter::default()), meter)
}

/// Returns how far the minutes of those hosts were taken of which none since a minute was.
///
/// # Errors
/// A database that fails.
pub async fn list_late_meters(db: &mut Db, since: u64) -> Result<Vec<Meter>> {
    let rows = sqlx::query("select minute, told from host_meters where minute < $1")
        .bind(big(since))
        .fetch_all(db)
        .await?;
    rows.iter().map(meter).collect()
}

/// Notes how far the minutes of a host were taken.
///
/// # Errors
/// A database that fails.
pub async fn set_meter(db: &mut Db, host: HostId, meter: &Meter) -> Result<()> {
    sqlx::query(
        "insert into host_meters (host_id, minute, told) values ($1, $2, $3) \
         on conflict (host_id) do update set minute = excluded.minute, told = excluded.told",
    )
    .bind(host.to_string())
    .bind(big(meter.minute))
    .bind(json(&meter.told)?)
    .execute(db)
    .await?;
    Ok(())
}

/// Notes up to which minute those of a host were taken, where nothing was written of its replicas since the last time.
///
/// # Errors
/// A database that fails.
pub async fn set_meter_minute(db: &mut Db, host: HostId, minute: u64) -> Result<()> {
    sqlx::query("update host_meters set minute = $2 where host_id = $1")
        .bind(host.to_string())
        .bind(big(minute))
        .execute(db)
        .await?;
    Ok(())
}

/// Adds a minute of a host's machine.
///
/// # Errors
/// A database that fails.
pub async fn add_host_minute(db: &mut Db, host: HostId, of: &HostMinute) -> Result<()> {
    let HostUse { cpu_millicores: cpu, memory_bytes: memory } = of.in_use;
    sqlx::query(
        "insert into host_metrics (host_id, minute, cpu_used, cpu_total, memory_used, memory_total) \
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(host.to_string())
    .bind(big(of.minute))
    .bind(cpu.map(|cpu| big(cpu.used)))
    .bind(cpu.map(|cpu| big(cpu.of)))
    .bind(memory.map(|memory| big(memory.used)))
    .bind(memory.map(|memory| big(memory.of)))
    .execute(db)
    .await?;
    Ok(())
}

/// Returns the minutes of a window that are known of a host's machine, in order.
///
/// # Errors
/// A database that fails.
pub async fn list_host_minutes(db: &mut Db, host: HostId, window: Range<u64>) -> Result<Vec<(u64, HostUse)>> {
    let rows = sqlx::query(
        "select * from host_metrics where host_id = $1 and minute >= $2 and minute < $3 order by minute",
    )
    .bind(host.to_string())
    .bind(big(window.start))
    .bind(big(window.end))
    .fetch_all(db)
    .await?;
    let share = |row: &AnyRow, used: &str, of: &str| -> Result<Option<Share>> {
        Ok(row.number_or_none(used)?.zip(row.number_or_none(of)?).map(|(used, of)| Share { used, of }))
    };
    let minute = |row: &AnyRow| {
        let cpu_millicores = share(row, "cpu_used", "cpu_total")?;
        let memory_bytes = share(row, "memory_used", "memory_total")?;
        Ok((row.number("minute")?, HostUse { cpu_millicores, memory_bytes }))
    };
    rows.iter().map(minute).collect()
}

/// Removes the minutes before one.
///
/// # Errors
/// A database that fails.
pub(crate) async fn expire(db: &mut Db, before: u64) -> Result<()> {
    sqlx::query("delete from host_metrics where minute < $1").bind(big(before)).execute(db).await?;
    Ok(())
}
