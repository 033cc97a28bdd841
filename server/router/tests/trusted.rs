//! The word of a trusted proxy about where a request came from is passed on, and nobody else's.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use stage::{Replica, Stage};
use std::sync::Arc;

const TOLD: &str = "GET / HTTP/1.1\r\nhost: app\r\nx-forwarded-for: 203.0.113.9\r\nx-forwarded-proto: https\r\n\
                    x-forwarded-port: 443\r\n\r\n";

#[tokio::test]
async fn a_trusted_proxy_says_which_protocol_and_port_its_visitor_uses() {
    let replica = Replica::mirror().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.trusted = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    });
    let heard = stage.ask(TOLD).await.text();
    assert!(
        heard.contains("x-forwarded-proto: https\r\n") && heard.contains("x-forwarded-port: 443\r\n"),
        "{heard}"
    );
    assert!(heard.contains("x-forwarded-for: 203.0.113.9, 127.0.0.1\r\n"), "{heard}");
    for strange in ["gopher", "https\r\nx-forwarded-proto: http", ""] {
        let heard = stage.ask(&TOLD.replace("https", strange)).await.text();
        assert_eq!(heard.matches("x-forwarded-proto: ").count(), 1, "{heard}");
        assert!(heard.contains("x-forwarded-proto: http\r\n") && !heard.contains("port: 443\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn a_stranger_is_not_believed() {
    let replica = Replica::mirror().await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.trusted = vec!["10.0.0.0/8".parse().unwrap()];
    });
    let heard = stage.ask(TOLD).await.text();
    assert!(
        heard.contains("x-forwarded-proto: http\r\n") && !heard.contains("x-forwarded-port: 443\r\n"),
        "{heard}"
    );
}
