//! A visitor comes back to the replica that answered before, as long as it is there; an app has a limit of its own.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use router::{Backend, StickyKey};
use stage::{Answer, GET, Replica, Stage, nobody, until};
use std::sync::Arc;

fn sticky(replicas: Vec<Arc<Backend>>) -> Stage {
    Stage::with(replicas, |_, app| app.stick(&StickyKey::derived(b"secret")))
}

fn with_cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    format!("GET / HTTP/1.1\r\nhost: app\r\ncookie: theme=dark; {cookie}\r\n\r\n")
}

#[tokio::test]
async fn a_visitor_with_a_cookie_stays_with_a_replica_and_others_take_turns() {
    let (one, two) = (Replica::named("web.1").await, Replica::named("web.2").await);
    let stage = sticky(vec![Arc::clone(&one.backend), Arc::clone(&two.backend)]);
    let first = stage.ask(GET).await;
    let request = with_cookie(&first);
    for _ in 0..20 {
        let answer = stage.ask(&request).await;
        assert_eq!(answer.text(), first.text());
        assert_eq!(answer.header("set-cookie"), None);
    }
    let mut answers = Vec::new();
    while !["web.1", "web.2"].iter().all(|name| answers.contains(&(*name).to_owned())) {
        answers.push(stage.ask(GET).await.text());
        assert!(answers.len() < 50);
    }
}

#[tokio::test]
async fn a_cookie_of_a_replica_that_left_or_takes_no_connections_gives_another_and_a_new_cookie() {
    let (one, two) = (Replica::named("web.1").await, Replica::named("web.2").await);
    let before = sticky(vec![Arc::clone(&one.backend)]);
    let request = with_cookie(&before.ask(GET).await);
    let after = sticky(vec![Arc::clone(&two.backend)]);
    let answer = after.ask(&request).await;
    assert_eq!(answer.text(), "web.2");
    assert_eq!(after.ask(&with_cookie(&answer)).await.header("set-cookie"), None);

    let dead = nobody("web.1");
    let both = sticky(vec![dead, Arc::clone(&two.backend)]);
    let answer = both.ask(&request).await;
    assert_eq!(answer.text(), "web.2");
    assert!(answer.header("set-cookie").is_some());
}

#[tokio::test]
async fn an_app_without_sticky_sessions_sets_no_cookie() {
    let replica = Replica::named("web.1").await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    assert_eq!(stage.ask(GET).await.header("set-cookie"), None);
}

#[tokio::test]
async fn h22_an_app_with_as_many_requests_as_it_may_have_turns_more_away() {
    let silent = || async {
        Replica::raw("web.1", |mut client| async move {
            client.head().await;
            std::future::pending().await
        })
        .await
    };
    let (one, two) = (silent().await, silent().await);
    let replicas = vec![Arc::clone(&one.backend), Arc::clone(&two.backend)];
    let stage = Stage::with(replicas, |_, app| app.connection_limit = Some(3));
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = stage.client().await;
        client.send(GET).await;
        held.push(client);
    }
    until(|| one.backend.in_flight() + two.backend.in_flight() == 3).await;
    assert_eq!(stage.ask(GET).await.status, 503);
    assert!(stage.lines.nth(1).await.contains("code=H22"));
    drop(held);
    until(|| one.backend.in_flight() + two.backend.in_flight() == 0).await;
    let mut client = stage.client().await;
    client.send(GET).await;
    until(|| one.backend.in_flight() + two.backend.in_flight() == 1).await;
}
