//! Rows that leave one database come back in another, of whichever version; no table is forgotten.

use std::collections::BTreeSet;

use model::host_use::HostUse;
use model::metrics::{HostMinute, Meter};
use model::release::Version;
use sqlx::Row as _;
use store::*;

use crate::world::{config, operation, release, replica, world};

async fn names(store: &Store) -> BTreeSet<String> {
    let mut db = store.read().await.unwrap();
    let rows =
        sqlx::query("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
            .fetch_all(&mut *db)
            .await
            .unwrap();
    rows.iter().map(|row| row.get("name")).filter(|name| name != "_sqlx_migrations").collect()
}

async fn exported(store: &Store, schema: i64) -> Vec<(&'static Table, Vec<u8>)> {
    let mut db = store.read().await.unwrap();
    let mut tables = Vec::new();
    for table in backed_up_tables_at(schema) {
        let mut lines = Vec::new();
        let take = |piece: &[u8]| {
            lines.extend(piece);
            Ok(())
        };
        export_rows(&mut db, table, 100, take).await.unwrap();
        tables.push((table, lines));
    }
    tables
}

async fn fresh(schema: i64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.db");
    let store = Store::make_at(&path, None, schema).await.unwrap();
    (dir, store)
}

async fn imported(store: &Store, tables: &[(&'static Table, Vec<u8>)]) {
    let mut tx = store.write().await.unwrap();
    let mut import = Import::default();
    for (table, lines) in tables {
        import.rows(&mut tx, table.name, lines).await.unwrap();
    }
    import.finish(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_table_is_in_the_list_and_none_that_is_not_there() {
    for schema in schemas() {
        let (_dir, store) = fresh(schema).await;
        let listed: BTreeSet<String> = tables_at(schema).map(|table| table.name.to_owned()).collect();
        assert_eq!(listed, names(&store).await, "at migration {schema}; see server/store/src/tables.rs");
    }
}

#[tokio::test]
async fn a_table_comes_after_those_that_it_refers_to() {
    let (_dir, store) = fresh(newest_schema()).await;
    let mut db = store.read().await.unwrap();
    let mut before = BTreeSet::new();
    for table in TABLES {
        let question = format!(
            "select \"table\" as target, \"from\" as source from pragma_foreign_key_list('{}')",
            table.name
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(question)).fetch_all(&mut *db).await.unwrap();
        for row in rows {
            let (target, source): (String, String) = (row.get("target"), row.get("source"));
            // What refers to its own table is filled in later, which `Table::late` says and the test of superseding sees.
            assert!(target == table.name || before.contains(&target), "{}.{source} → {target}", table.name);
        }
        before.insert(table.name.to_owned());
    }
}

#[tokio::test]
async fn rows_come_back_as_they_were_with_what_supersedes_before_what_is_superseded() {
    let world = world().await;
    let config = config("A", "ü\n\"'");
    let mut tx = world.store.write().await.unwrap();
    for number in 1..=2 {
        create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
        start_operation(&mut tx, operation(&world, Version(number))).await.unwrap();
    }
    set_fact(&mut tx, "a", "").await.unwrap();
    next_number(&mut tx, "n", u64::from(u32::MAX) * 1000).await.unwrap();
    tx.commit().await.unwrap();
    let tables = exported(&world.store, newest_schema()).await;
    let superseded = tables.iter().find(|(table, _)| table.name == "operations").unwrap();
    assert!(String::from_utf8_lossy(&superseded.1).contains("superseded_by"), "the case is not there");
    let (_dir, store) = fresh(newest_schema()).await;
    imported(&store, &tables).await;
    assert_eq!(exported(&store, newest_schema()).await, tables);
    let mut db = store.read().await.unwrap();
    let found = find_release(&mut db, world.app.id, Version(1)).await.unwrap().unwrap();
    assert_eq!(
        release_config(&mut db, &world.vault, found.id).await.unwrap(),
        config,
        "sealed with the key of before"
    );
}

#[tokio::test]
async fn rows_of_an_older_version_are_brought_up_to_date() {
    let (dir, old) = fresh(1).await;
    let user = r#"{"id":"u","email":"ann@example.org","scope":"admin","created_at":1}"#;
    let app = r#"{"id":"a","name":"shop","owner_id":"u","uid":200000,"settings":"{}","created_at":1,"updated_at":1}"#;
    let slug = format!(
        r#"{{"id":"s","app_id":"a","digest":"{}","bytes":1,"manifest":"{{}}","created_at":77}}"#,
        "0".repeat(64)
    );
    let mut tx = old.write().await.unwrap();
    let mut import = Import::default();
    for (table, line) in [("users", user), ("apps", app), ("slugs", &slug)] {
        assert_eq!(import.rows(&mut tx, table, line.as_bytes()).await.unwrap(), 1);
    }
    import.finish(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    old.close().await;
    let store = Store::open_file(&dir.path().join("new.db")).await.unwrap();
    let mut db = store.read().await.unwrap();
    let row = sqlx::query("select released_at from slugs").fetch_one(&mut *db).await.unwrap();
    assert_eq!(row.get::<i64, _>("released_at"), 77, "migration 4 has seen the row");
}

#[tokio::test]
async fn rows_that_fit_no_table_are_refused() {
    let (_dir, store) = fresh(newest_schema()).await;
    let mut tx = store.write().await.unwrap();
    let refused = [
        ("sqlite_master", r#"{"name":"x"}"#),
        ("meta", r#"{"key":"a","value":["b"]}"#),
        ("meta", r#"{"key) values ('a', 'b'); drop table users; --":"a"}"#),
        ("meta", r#"{"key":"a","nothing":"b"}"#),
        ("meta", r#"{}"#),
        ("meta", "not json"),
        ("counters", r#"{"name":"a","value":1e300}"#),
    ];
    for (table, line) in refused {
        assert!(Import::default().rows(&mut tx, table, line.as_bytes()).await.is_err(), "{table} {line}");
    }
}

#[tokio::test]
async fn a_database_that_holds_something_is_not_filled() {
    let world = world().await;
    let path = world.dir.path().join("paas.db");
    for schema in [1, newest_schema()] {
        let error = Store::make_at(&path, None, schema).await.unwrap_err();
        assert!(matches!(error, Error::NotEmpty), "{error}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_what_to_do() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'later', 1, '00', 1)",
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let error = Store::open_file(&world.dir.path().join("paas.db")).await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("start that version again"), "{error}");
    let seen = Store::look(&world.dir.path().join("paas.db"), None).await.unwrap();
    assert_eq!(find_schema(&mut seen.read().await.unwrap()).await.unwrap(), 9999);
}

#[tokio::test]
async fn a_hold_ends_by_its_own_name_or_by_its_time() {
    let world = world().await;
    let now = jiff::Timestamp::now();
    let minute = jiff::SignedDuration::from_mins(1);
    let mut tx = world.store.write().await.unwrap();
    assert!(!is_collection_held(&mut tx).await.unwrap());
    hold_collection(&mut tx, "a", now - minute).await.unwrap();
    assert!(!is_collection_held(&mut tx).await.unwrap(), "its time is over");
    for name in ["b", "c"] {
        hold_collection(&mut tx, name, now + minute).await.unwrap();
    }
    end_hold(&mut tx, "b").await.unwrap();
    assert!(is_collection_held(&mut tx).await.unwrap(), "another holds it");
    end_hold(&mut tx, "c").await.unwrap();
    assert!(!is_collection_held(&mut tx).await.unwrap());
    assert_eq!(find_fact(&mut tx, "backup-hold/a").await.unwrap(), None, "what nobody ended is gone, too");
}

/// Rows of machines that joined only, or of tables that no backup has.
const OF_NO_OWN_HOST: [&str; 3] = ["join_tokens", "launches", "servers"];

#[tokio::test]
async fn nothing_holds_the_servers_own_host_when_the_platform_moves() {
    let world = world().await;
    let mut tx = world.store.write().await.unwrap();
    let own = ensure_host(&mut tx, "here", "local").await.unwrap().id;
    let joined = create_host(&mut tx, "joined", "local", "key").await.unwrap().id;
    let config = config("A", "1");
    let version = create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap().version;
    for host in [own, joined] {
        create_replica(&mut tx, replica(&world, version, host)).await.unwrap();
        let gone = create_replica(&mut tx, replica(&world, version, host)).await.unwrap();
        delete_replica(&mut tx, gone.id).await.unwrap();
        let in_use = HostUse::default();
        let minute = HostMinute { minute: 1, in_use, replicas: Vec::new() };
        add_host_minute(&mut tx, host, &minute).await.unwrap();
        set_meter(&mut tx, host, &Meter::default()).await.unwrap();
    }
    let mut referring = BTreeSet::new();
    for table in TABLES {
        let question = format!("select \"table\" as target from pragma_foreign_key_list('{}')", table.name);
        let rows = sqlx::query(sqlx::AssertSqlSafe(question)).fetch_all(&mut *tx).await.unwrap();
        if rows.iter().any(|row| row.get::<&str, _>("target") == "hosts")
            && !OF_NO_OWN_HOST.contains(&table.name)
        {
            referring.insert(table.name);
        }
    }
    let hosts = async |tx: &mut Transaction, table: &str| -> BTreeSet<String> {
        let question = format!("select host_id from {table}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(question)).fetch_all(&mut **tx).await.unwrap();
        rows.iter().map(|row| row.get("host_id")).collect()
    };
    for table in &referring {
        assert_eq!(
            hosts(&mut tx, table).await.len(),
            2,
            "{table}: add a row of it here, and to `move_house`"
        );
    }
    move_house(&mut tx).await.unwrap();
    for table in &referring {
        assert_eq!(hosts(&mut tx, table).await, [joined.to_string()].into(), "{table}");
    }
}
