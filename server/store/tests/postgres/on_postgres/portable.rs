//! Rows that leave `SQLite` come back in `Postgres`, and the other way round: a backup of one is restored into the other.

use std::path::Path;

use model::release::Version;
use store::*;

use crate::database;
use crate::world::{config, operation, release, world};

async fn exported(store: &Store) -> Vec<(&'static Table, Vec<String>)> {
    let mut db = store.read_patiently().await.unwrap();
    let mut tables = Vec::new();
    for table in backed_up_tables_at(newest_schema()) {
        let mut lines = Vec::new();
        let take = |piece: &[u8]| {
            lines.extend(String::from_utf8_lossy(piece).lines().map(str::to_owned));
            Ok(())
        };
        export_rows(&mut db, table, 100, take).await.unwrap();
        lines.sort();
        tables.push((table, lines));
    }
    tables
}

async fn imported(file: &Path, url: Option<&DatabaseUrl>, tables: &[(&'static Table, Vec<String>)]) -> Store {
    let store = Store::make_at(file, url, newest_schema()).await.unwrap();
    let mut tx = store.fill().await.unwrap();
    let mut import = Import::default();
    for (table, lines) in tables {
        import.rows(&mut tx, table.name, lines.join("\n").as_bytes()).await.unwrap();
    }
    import.finish(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    store
}

#[tokio::test]
async fn rows_move_from_postgres_to_sqlite_and_back() {
    let world = world().await;
    let config = config("A", "ü\n\"'");
    let mut tx = world.store.write().await.unwrap();
    for number in 1..=2 {
        create_release(&mut tx, &world.vault, release(&world, &config)).await.unwrap();
        start_operation(&mut tx, operation(&world, Version(number))).await.unwrap();
    }
    let host = ensure_host(&mut tx, "here", "local").await.unwrap();
    tx.commit().await.unwrap();
    let tables = exported(&world.store).await;
    let dir = tempfile::tempdir().unwrap();
    let file = imported(&dir.path().join("paas.db"), None, &tables).await;
    assert_eq!(exported(&file).await, tables);
    let url: DatabaseUrl = database::url(dir.path()).await.parse().unwrap();
    let back = imported(dir.path(), Some(&url), &exported(&file).await).await;
    assert_eq!(exported(&back).await, tables);
    let again = Store::make_at(dir.path(), Some(&url), newest_schema()).await.unwrap_err();
    assert!(matches!(again, Error::NotEmpty), "{again}");
    let mut tx = back.write().await.unwrap();
    let found = find_release(&mut tx, world.app.id, Version(1)).await.unwrap().unwrap();
    assert_eq!(release_config(&mut tx, &world.vault, found.id).await.unwrap(), config);
    let joined = create_host(&mut tx, "joined", "local", "key").await.unwrap();
    let lost = create_host(&mut tx, "lost", "local", "another key").await.unwrap();
    assert!(lose_host(&mut tx, lost.id, "nothing was heard of it").await.unwrap());
    move_house(&mut tx).await.unwrap();
    assert!(list_hosts(&mut tx).await.unwrap().iter().all(|left| left.id != host.id));
    assert_eq!(hosts_to_recount(&mut tx).await.unwrap(), [joined.id].into());
    assert!(note_recounted(&mut tx, joined.id).await.unwrap());
    assert!(!note_recounted(&mut tx, joined.id).await.unwrap());
    assert_eq!(hosts_to_recount(&mut tx).await.unwrap(), [].into());
    tx.commit().await.unwrap();
}
