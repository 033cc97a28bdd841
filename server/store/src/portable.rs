//! Rows as text that any database takes: what a backup holds. Columns are text and bigint only, so a row is a JSON object
//! of strings and numbers; what is null is left out.

use futures::TryStreamExt as _;
use serde_json::{Map, Number, Value};
use sqlx::any::{AnyRow, AnyTypeInfoKind};
use sqlx::{AssertSqlSafe, Column as _, Row as _, ValueRef as _};

use crate::error::{Error, Result};
use crate::tables::{TABLES, Table};
use crate::transaction::Db;

/// Hands out all rows of a table as lines of JSON, in pieces of about so many bytes. Returns how many rows there were.
///
/// # Errors
/// A database that fails, a column of another type, or a `take` that fails.
pub async fn export_rows(
    db: &mut Db,
    table: &Table,
    piece_bytes: usize,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<u64> {
    let mut take = |lines: &[u8]| {
        take(lines)
            .map_err(|error| Error::File(format!("the rows of {} cannot be written", table.name), error))
    };
    let mut rows = sqlx::query(AssertSqlSafe(format!("select * from \"{}\"", table.name))).fetch(db);
    let (mut lines, mut count) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let object = Value::Object(object(&row)?);
        lines.extend(object.to_string().as_bytes());
        lines.push(b'\n');
        count += 1;
        if lines.len() >= piece_bytes {
            take(&lines)?;
            lines.clear();
        }
    }
    if !lines.is_empty() {
        take(&lines)?;
    }
    Ok(count)
}

fn object(row: &AnyRow) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    for column in row.columns() {
        let (name, index) = (column.name(), column.ordinal());
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            continue;
        }
        let kind = raw.type_info().kind();
        let value = match kind {
            AnyTypeInfoKind::Text => Value::String(row.try_get(index)?),
            AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
                Value::Number(Number::from(row.try_get::<i64, _>(index)?))
            }
            other => {
                return Err(unreadable(
                    name,
                    &format!("it is neither text nor a whole number but {other:?}"),
                ));
            }
        };
        object.insert(name.to_owned(), value);
    }
    Ok(object)
}

/// Writes exported rows into the empty tables of a database. Tables come in the order of [`TABLES`].
#[derive(Debug, Default)]
pub struct Import {
    late: Vec<(&'static Table, &'static str, String, String)>,
}

impl Import {
    /// Writes lines of [`export_rows`]. Returns how many rows they were.
    ///
    /// # Errors
    /// Lines that are something else, a row that does not fit the table, or a database that fails.
    pub async fn rows(&mut self, db: &mut Db, table: &str, lines: &[u8]) -> Result<u64> {
        let table = TABLES.iter().find(|known| known.name == table && !known.own);
        let table = table.ok_or(Error::Refused("there is no such table"))?;
        let mut count = 0;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let row =
                serde_json::from_slice(line).map_err(|error| unreadable(table.name, &error.to_string()))?;
            self.row(db, table, row).await?;
            count += 1;
        }
        Ok(count)
    }

    async fn row(&mut self, db: &mut Db, table: &'static Table, mut row: Map<String, Value>) -> Result<()> {
        if let Some(late) = table.late
            && let Some(Value::String(target)) = row.remove(late)
        {
            let id =
                row.get("id").and_then(Value::as_str).ok_or_else(|| unreadable("id", "it is missing"))?;
            self.late.push((table, late, id.to_owned(), target));
        }
        let mut query = sqlx::query(AssertSqlSafe(insertion(table, &row)?));
        for (name, value) in &row {
            query = match value {
                Value::String(text) => query.bind(text.clone()),
                Value::Number(number) => {
                    query.bind(number.as_i64().ok_or_else(|| unreadable(name, "the number is too large"))?)
                }
                _ => return Err(unreadable(name, "it is neither text nor a number")),
            };
        }
        query.execute(db).await?;
        Ok(())
    }

    /// Fills in what refers to rows of the same table.
    ///
    /// # Errors
    /// A database that fails, or a row that is not there.
    pub async fn finish(self, db: &mut Db) -> Result<()> {
        for (table, column, id, target) in self.late {
            let update = format!("update \"{}\" set \"{column}\" = $1 where id = $2", table.name);
            sqlx::query(AssertSqlSafe(update)).bind(target).bind(id).execute(&mut *db).await?;
        }
        Ok(())
    }
}

/// Returns the statement for a row with these columns. Names come from a file: only such as need no quoting are taken.
fn insertion(table: &Table, row: &Map<String, Value>) -> Result<String> {
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if row.is_empty() || row.len() > 100 || !row.keys().all(|name| plain(name)) {
        return Err(unreadable(table.name, "a row has columns that no table has"));
    }
    let names: Vec<String> = row.keys().map(|name| format!("\"{name}\"")).collect();
    let values: Vec<String> = (1..=row.len()).map(|number| format!("${number}")).collect();
    Ok(format!("insert into \"{}\" ({}) values ({})", table.name, names.join(", "), values.join(", ")))
}

fn unreadable(column: &str, why: &str) -> Error {
    Error::Damaged { column: column.to_owned(), why: why.to_owned() }
}
