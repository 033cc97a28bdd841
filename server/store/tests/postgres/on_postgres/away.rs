//! A database server that goes away and comes back: callers are told, and go on without a restart of theirs.

use std::time::{Duration, Instant};

use store::*;

use crate::server::Postgres;

async fn write(store: &Store, value: &str) -> Result<()> {
    let mut tx = store.write().await?;
    set_fact(&mut tx, "key", value).await?;
    Ok(tx.commit().await?)
}

async fn read(store: &Store) -> Result<Option<String>> {
    find_fact(&mut *store.read().await?, "key").await
}

#[tokio::test]
async fn a_restart_of_the_database_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::own(dir.path());
    let store = Store::open_url(&postgres.url("postgres").parse().unwrap()).await.unwrap();
    let mut news = store.news().unwrap();
    news.next().await.unwrap();
    write(&store, "before").await.unwrap();
    let held = store.write().await.unwrap();
    postgres.stop();
    drop(held);
    let (written, seen) = tokio::join!(write(&store, "while"), read(&store));
    assert!(matches!(written, Err(Error::Unavailable(_))), "{written:?}");
    assert!(matches!(seen, Err(Error::Unavailable(_))), "{seen:?}");
    postgres.start();
    let begun = Instant::now();
    while let Err(error) = write(&store, "after").await {
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error:?}");
    }
    assert_eq!(read(&store).await.unwrap().as_deref(), Some("after"));
    while news.next().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is heard any more");
    }
}
