//! Versions that the first build of an app chose and later builds keep.

use model::id::AppId;
use model::pins::{Pin, Pins};

use crate::error::Result;
use crate::row::Columns as _;
use crate::transaction::Db;

/// Returns the app's pins.
///
/// # Errors
/// A database that fails.
pub async fn find_pins(db: &mut Db, app: AppId) -> Result<Pins> {
    let rows =
        sqlx::query("select * from pins where app_id = $1").bind(app.to_string()).fetch_all(db).await?;
    rows.iter()
        .map(|row| {
            let pin = Pin {
                version: row.text("version")?,
                requested: row.text_or_none("requested")?,
                origin: row.text("origin")?,
            };
            Ok((row.text("name")?, pin))
        })
        .collect()
}

/// Stores these pins in place of those of the same names; others stay.
///
/// # Errors
/// A database that fails.
pub async fn set_pins(db: &mut Db, app: AppId, pins: &Pins) -> Result<()> {
    for (name, pin) in pins {
        sqlx::query(
            "insert into pins (app_id, name, version, requested, origin) values ($1, $2, $3, $4, $5) \
             on conflict (app_id, name) do update set version = excluded.version, \
             requested = excluded.requested, origin = excluded.origin",
        )
        .bind(app.to_string())
        .bind(name)
        .bind(&pin.version)
        .bind(pin.requested.as_deref())
        .bind(&pin.origin)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Forgets a pin, so that the next build chooses anew. Returns whether there was one.
///
/// # Errors
/// A database that fails.
pub async fn delete_pin(db: &mut Db, app: AppId, name: &str) -> Result<bool> {
    let done = sqlx::query("delete from pins where app_id = $1 and name = $2")
        .bind(app.to_string())
        .bind(name)
        .execute(db)
        .await?;
    Ok(done.rows_affected() > 0)
}
