//! What apps, and all of the platform, may cost a month.

use std::collections::BTreeMap;

use model::cost::Money;
use model::id::AppId;

use crate::error::Result;
use crate::row::Columns as _;
use crate::transaction::Db;

/// What stands for the platform in place of an app.
const PLATFORM: &str = "platform";

fn subject(app: Option<AppId>) -> String {
    app.map_or_else(|| PLATFORM.to_owned(), |app| app.to_string())
}

/// Returns the caps of apps and, with nothing in place of one, of the platform.
///
/// # Errors
/// A database that fails.
pub async fn list_caps(db: &mut Db) -> Result<BTreeMap<Option<AppId>, Money>> {
    let rows = sqlx::query("select * from caps").fetch_all(db).await?;
    let mut caps = BTreeMap::new();
    for row in &rows {
        let app = if row.text("subject")? == PLATFORM { None } else { Some(row.parsed("subject")?) };
        caps.insert(app, Money::from_millionths(row.integer("millionths")?));
    }
    Ok(caps)
}

/// Sets the cap of an app, or of the platform, or takes it away.
///
/// # Errors
/// A database that fails.
pub async fn set_cap(db: &mut Db, app: Option<AppId>, cap: Option<Money>) -> Result<()> {
    let query = match cap {
        Some(cap) => sqlx::query(
            "insert into caps (subject, millionths) values ($1, $2) \
             on conflict (subject) do update set millionths = excluded.millionths",
        )
        .bind(subject(app))
        .bind(cap.millionths()),
        None => sqlx::query("delete from caps where subject = $1").bind(subject(app)),
    };
    query.execute(db).await?;
    Ok(())
}
