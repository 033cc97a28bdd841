//! Logs by capability: events and plain text, backlog and tail.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use model::release::Version;
use serde_json::{Value, json};

use crate::server::Server;

fn shop() -> Server {
    let server = Server::start();
    server.ask("POST", "/apps").body(json!({ "name": "shop" })).expect(201);
    server
}

fn write(server: &Server, process: &str, text: &str) {
    server.platform.logs.event(server.app("shop").id, process, Some(Version(1)), text);
    server.platform.logs.flush();
}

fn session(server: &Server, body: &Value) -> String {
    let session = server.ask("POST", "/apps/shop/log-sessions").body(body).expect(201);
    session["logplex_url"].as_str().unwrap().to_owned()
}

#[test]
fn the_backlog_comes_as_events_that_end_cleanly_or_as_plain_lines() {
    let server = shop();
    for n in 1..=5 {
        write(&server, "web.1", &format!("line {n}"));
    }
    let url = session(&server, &json!({ "lines": "3", "tail": false }));
    let events = server.bare("GET", &url).header("accept", "text/event-stream").send();
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert!(events.text.starts_with("retry: 1\n\n"), "{}", events.text);
    let data: Vec<_> = events.text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.len(), 3);
    assert!(data[0].contains("heroku[web.1]: line 3"), "{data:?}");
    let ids = events.text.lines().filter(|line| line.starts_with("id: ")).count();
    assert_eq!(ids, 3);
    let ours = server.bare("GET", &url).header("accept", "text/plain").send();
    assert!(
        ours.text.lines().count() == 3 && ours.text.contains("platform[web.1]: line 5\n"),
        "{}",
        ours.text
    );
    let theirs = server.bare("GET", &url).header("accept", "*/*").send();
    assert!(theirs.text.contains("heroku[web.1]: line 5\n"), "{}", theirs.text);
}

#[test]
fn filters_are_obeyed() {
    let server = shop();
    write(&server, "web.1", "one");
    write(&server, "worker.1", "two");
    let text = |body: Value| server.bare("GET", &session(&server, &body)).send().text;
    assert!(!text(json!({ "dyno": "worker" })).contains("one"));
    assert!(text(json!({ "dyno": "web.1" })).contains("one"));
    assert_eq!(text(json!({ "source": "app" })), "");
    assert!(text(json!({ "source": "heroku", "lines": 1 })).contains("two"));
    assert_eq!(text(json!({ "since": "2999-01-01T00:00:00Z" })), "");
    server.ask("POST", "/apps/shop/log-sessions").body(json!({ "source": "moon" })).expect(422);
    server.ask("POST", "/apps/shop/log-sessions").body(json!({ "since": "yesterday" })).expect(422);
}

/// Opens a tail and returns its lines as they come.
fn tail(server: &Server, url: &str, last: Option<&str>) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let path = url.split_once(&server.address.to_string()).unwrap().1;
    let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{last}\r\n",
        server.address
    )
    .unwrap();
    BufReader::new(socket)
}

/// Reads until an event holds the text, and returns that event's id.
fn until(reader: &mut BufReader<TcpStream>, text: &str) -> (String, Vec<String>) {
    let (mut id, mut seen) = (String::new(), Vec::new());
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the tail ended after {seen:?}");
        if let Some(next) = line.trim_end().strip_prefix("id: ") {
            id = next.to_owned();
        }
        if let Some(data) = line.trim_end().strip_prefix("data: ") {
            seen.push(data.to_owned());
            if data.contains(text) {
                return (id, seen);
            }
        }
    }
}

#[test]
fn a_tail_goes_on_and_resumes_after_what_was_seen() {
    let server = shop();
    write(&server, "web.1", "before");
    let url = session(&server, &json!({ "tail": true }));
    let mut first = tail(&server, &url, None);
    until(&mut first, "before");
    write(&server, "web.1", "while it is open");
    let (id, _) = until(&mut first, "while it is open");
    drop(first);
    write(&server, "web.1", "while nobody looks");
    let mut second = tail(&server, &url, Some(&id));
    let (_, seen) = until(&mut second, "while nobody looks");
    assert_eq!(seen.len(), 1, "nothing comes twice: {seen:?}");
}

#[test]
fn an_address_that_was_changed_or_is_for_something_else_opens_nothing() {
    let server = shop();
    let url = session(&server, &json!({}));
    server.bare("GET", &url).send();
    let (start, sealed) = url.rsplit_once('/').unwrap();
    let mut bytes = sealed.as_bytes().to_vec();
    bytes[40] = if bytes[40] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(bytes).unwrap();
    for wrong in [
        format!("{start}/{changed}"),
        format!("{start}/"),
        format!("{start}/x"),
        url.replace("/streams/logs/", "/streams/build-output/"),
    ] {
        assert_eq!(server.bare("GET", &wrong).send().status, 404, "{wrong}");
    }
    server.ask("DELETE", "/apps/shop").expect(200);
    assert_eq!(server.bare("GET", &url).send().status, 404, "the app is gone");
}
