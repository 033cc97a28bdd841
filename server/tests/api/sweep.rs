//! What is swept away, and that what cannot be swept is alone in that.

use std::time::Duration;

use serde_json::json;

use crate::server::Server;

/// How long a sweep may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_repository_that_cannot_be_read_keeps_nothing_of_others_from_going() {
    let server = Server::start();
    for name in ["broken", "gone"] {
        server.ask("POST", "/apps").body(json!({ "name": name })).expect(201);
    }
    let dir = |name: &str| server.platform.options.dir(name);
    let broken = dir("repos").join(format!("{}.git", server.app("broken").id));
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("HEAD"), "nothing of git's").unwrap();
    let logs = dir("logs").join(server.app("gone").id.to_string());
    assert!(logs.exists());
    server.ask("DELETE", "/apps/gone").expect(200);
    server.run(async {
        let signals = &server.platform.signals;
        let sweep = tokio::spawn(paasd::sweep::run(server.platform.clone(), signals.stop.clone()));
        let gone = async {
            while logs.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, gone).await.unwrap();
        signals.stop.cancel();
        sweep.await.unwrap();
    });
    assert!(broken.exists());
}
