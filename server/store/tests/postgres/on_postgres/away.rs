//! A database server that goes away and comes back: callers are told, and go on without a restart of theirs.

use std::path::Path;
use std::time::{Duration, Instant};

use store::*;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::server::Postgres;

/// Stands between the store and the database, and may let nothing through, as the way to a machine without power does: who
/// says something then is never answered.
struct Way {
    is_open: watch::Sender<bool>,
}

impl Way {
    /// Makes one to the database of a directory, in another.
    fn between(dir: &Path, database: &Path) -> Self {
        const SOCKET: &str = ".s.PGSQL.5432";
        let (listener, there) = (UnixListener::bind(dir.join(SOCKET)).unwrap(), database.join(SOCKET));
        let (is_open, opened) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                let there = UnixStream::connect(&there).await.unwrap();
                let (from_here, to_here) = here.into_split();
                let (from_there, to_there) = there.into_split();
                tokio::spawn(carry(from_here, to_there, opened.clone()));
                tokio::spawn(carry(from_there, to_here, opened.clone()));
            }
        });
        Self { is_open }
    }
}

async fn carry(
    from: tokio::net::unix::OwnedReadHalf,
    to: tokio::net::unix::OwnedWriteHalf,
    opened: watch::Receiver<bool>,
) {
    let mut bytes = [0; 4096];
    loop {
        let Ok(()) = from.readable().await else { return };
        if !*opened.borrow() {
            // What was on its way then never arrives.
            return std::future::pending().await;
        }
        let read = match from.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(read) => read,
            Err(_) => continue,
        };
        let mut sent = 0;
        while sent < read {
            to.writable().await.unwrap();
            sent += to.try_write(&bytes[sent..read]).unwrap_or(0);
        }
    }
}

async fn write(store: &Store, value: &str) -> Result<()> {
    let mut tx = store.write().await?;
    set_fact(&mut tx, "key", value).await?;
    tx.commit().await
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

#[tokio::test]
async fn a_database_that_says_nothing_any_more_holds_nobody_and_no_connection() {
    let (dir, way) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let postgres = Postgres::own(dir.path());
    let opened = Way::between(way.path(), dir.path()).is_open;
    let url = postgres.url("postgres").replace(&*dir.path().to_string_lossy(), &way.path().to_string_lossy());
    let store = Store::open_url(&url.parse().unwrap()).await.unwrap();
    let store = store.limiting_statements(Duration::from_secs(1));
    write(&store, "before").await.unwrap();
    let (mut written, mut read_from) = (store.write().await.unwrap(), store.read().await.unwrap());
    opened.send(false).unwrap();
    let unavailable = |error: &Error| matches!(error, Error::Unavailable(_));
    assert!(unavailable(&set_fact(&mut written, "key", "while").await.unwrap_err()));
    assert!(unavailable(&find_fact(&mut read_from, "key").await.unwrap_err()));
    drop((written, read_from));
    // There is one connection that writes. Its place is free again though the old one is never heard of.
    let held = store.write().await;
    assert!(unavailable(&held.map(drop).unwrap_err()));
    opened.send(true).unwrap();
    let begun = Instant::now();
    while let Err(error) = write(&store, "after").await {
        assert!(unavailable(&error) && begun.elapsed() < Duration::from_secs(60), "{error:?}");
    }
    assert_eq!(read(&store).await.unwrap().as_deref(), Some("after"));
}
