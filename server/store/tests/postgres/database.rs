//! The tests on `Postgres`: a database of its own for each test's directory, on a server that all tests share.

use std::path::Path;

use sqlx::{AnyConnection, Connection as _, Executor as _};
use store::{DatabaseUrl, Store};

use crate::server::shared;

pub(crate) async fn open(dir: &Path) -> Store {
    let url: DatabaseUrl = url(dir).await.parse().unwrap();
    Store::open_url(&url).await.unwrap()
}

/// Returns the URL of the directory's database, made if it is not there.
pub(crate) async fn url(dir: &Path) -> String {
    let name = format!("test_{}", hex_of(dir));
    let postgres = shared();
    let mut db = connect(&postgres.url("postgres")).await;
    let exists = format!("select 1 as here from pg_database where datname = '{name}'");
    let found = sqlx::query(sqlx::AssertSqlSafe(exists)).fetch_optional(&mut db).await.unwrap();
    if found.is_none() {
        db.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    }
    postgres.url(&name)
}

/// Returns a connection beside the store's.
pub(crate) async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}

fn hex_of(dir: &Path) -> String {
    dir.to_string_lossy()
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .chars()
        .rev()
        .take(40)
        .collect()
}
