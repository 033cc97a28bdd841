//! Several servers on one database: they write one after the other, whatever happens to one of them.

use std::time::{Duration, Instant};

use sqlx::Executor as _;
use store::*;

use crate::database::{connect, open, url};

async fn add(store: &Store) -> Result<()> {
    let mut tx = store.write().await?;
    let before: u64 = find_fact(&mut tx, "sum").await?.map_or(0, |text| text.parse().unwrap());
    tokio::task::yield_now().await;
    set_fact(&mut tx, "sum", &(before + 1).to_string()).await?;
    tx.commit().await
}

async fn sum(store: &Store) -> String {
    find_fact(&mut store.read().await.unwrap(), "sum").await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_writes_between_what_another_reads_and_writes() {
    let dir = tempfile::tempdir().unwrap();
    let servers = [open(dir.path()).await, open(dir.path()).await, open(dir.path()).await];
    let adding = servers
        .iter()
        .flat_map(|store| std::iter::repeat_n(store.clone(), 20))
        .map(|store| tokio::spawn(async move { add(&store).await.unwrap() }));
    for added in adding.collect::<Vec<_>>() {
        added.await.unwrap();
    }
    assert_eq!(sum(&servers[0]).await, "60");
    let turns = count_turns(&mut servers[1].read().await.unwrap()).await.unwrap();
    assert_eq!(turns, 60, "each is counted");
}

#[tokio::test]
async fn a_server_that_sleeps_in_its_turn_loses_it_and_what_it_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let (sleeper, other) = (open(dir.path()).await, open(dir.path()).await);
    add(&other).await.unwrap();
    let mut turn = sleeper.write().await.unwrap();
    set_fact(&mut turn, "sum", "1000").await.unwrap();
    let begun = Instant::now();
    while let Err(error) = add(&other).await {
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(60), "the turn is never free");
    }
    assert!(turn.commit().await.is_err(), "it is told");
    assert_eq!(sum(&other).await, "2");
    add(&sleeper).await.unwrap();
    assert_eq!(sum(&other).await, "3", "the sleeper goes on");
}

#[tokio::test]
async fn who_gives_up_waiting_leaves_no_turn_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for microseconds in 0..200 {
        let _ = tokio::time::timeout(Duration::from_micros(microseconds * 20), store.write()).await;
        let _ = tokio::time::timeout(Duration::from_micros(microseconds * 20), store.read()).await;
    }
    for _ in 0..3 {
        add(&store).await.unwrap();
    }
    assert_eq!(sum(&store).await, "3");
}

#[tokio::test]
async fn what_others_write_is_news_and_what_one_writes_itself_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (open(dir.path()).await, open(dir.path()).await);
    let mut news = one.news().unwrap();
    news.next().await.unwrap();
    add(&one).await.unwrap();
    let told = tokio::time::timeout(Duration::from_millis(300), news.next()).await;
    assert!(told.is_err(), "its own");
    add(&other).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), news.next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_table_that_a_newer_version_widened_disturbs_no_more_than_one_turn_of_each_connection() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tx = store.write().await.unwrap();
    create_user(&mut tx, "ann@example.org", model::access::Scope::Write).await.unwrap();
    tx.commit().await.unwrap();
    let found = list_users(&mut store.read().await.unwrap()).await.unwrap();
    let mut newer = connect(&url(dir.path()).await).await;
    newer.execute("alter table users add column nickname text").await.unwrap();
    let mut failures = 0;
    let again = loop {
        let mut db = store.read().await.unwrap();
        match list_users(&mut db).await {
            Ok(users) => break users,
            Err(error) => {
                assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
                failures += 1;
                assert!(failures < 20, "{error:?}");
            }
        }
    };
    assert_eq!(found, again);
}
