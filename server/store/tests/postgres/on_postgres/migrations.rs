//! The tables are brought up to date, however long that takes, by one server at a time.

use std::path::Path;

use sqlx::Executor as _;
use store::*;

use crate::database::{connect, url};

/// Has the database do this before each change of its tables.
async fn before_changes(dir: &Path, what: &str) -> DatabaseUrl {
    let url = url(dir).await;
    let mut db = connect(&url).await;
    let slow = format!(
        "create sequence changes; \
         create function before() returns event_trigger language plpgsql as $$ begin {what} end $$; \
         create event trigger before on ddl_command_start execute function before()"
    );
    db.execute(sqlx::AssertSqlSafe(slow)).await.unwrap();
    url.parse().unwrap()
}

#[tokio::test]
async fn a_migration_may_take_as_long_as_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let before = schemas().filter(|schema| *schema != newest_schema()).max().unwrap();
    let url: DatabaseUrl = url(dir.path()).await.parse().unwrap();
    Store::make_at(dir.path(), Some(&url), before).await.unwrap().close().await;
    let limit = "if current_setting('statement_timeout') <> '0' then \
         raise exception 'it ends after %', current_setting('statement_timeout'); end if;";
    let url = before_changes(dir.path(), limit).await;
    let store = Store::open_url(&url).await.unwrap();
    assert_eq!(find_schema(&mut store.read().await.unwrap()).await.unwrap(), newest_schema());
    let mut tx = store.write().await.unwrap();
    let limited = tx.execute("create table others (id text)").await.unwrap_err();
    assert!(limited.to_string().contains("it ends after 30s"), "what else is written is limited: {limited}");
}

#[tokio::test]
async fn a_server_that_starts_waits_for_another_that_migrates_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let url =
        before_changes(dir.path(), "if nextval('changes') = 1 then perform pg_sleep(12); end if;").await;
    let (one, other) = tokio::join!(Store::open_url(&url), Store::open_url(&url));
    for store in [one.unwrap(), other.unwrap()] {
        assert_eq!(find_schema(&mut store.read().await.unwrap()).await.unwrap(), newest_schema());
    }
}
