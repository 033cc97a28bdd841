//! Whatever comes in, a replica never sees another request than the router saw.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use stage::{Client, GET, Replica, Stage, ok, until};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a replica received, connection by connection.
type Seen = Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>;

fn drain(seen: &Seen) -> Vec<Vec<u8>> {
    let mut seen = seen.lock().unwrap();
    seen.drain(..).map(|bytes| bytes.lock().unwrap().clone()).collect()
}

/// A replica that notes each byte and answers each end of a head.
async fn recorder(seen: Seen) -> Replica {
    Replica::raw("web.1", move |mut client| {
        let seen = Arc::clone(&seen);
        async move {
            let received = Arc::<Mutex<Vec<u8>>>::default();
            seen.lock().unwrap().push(Arc::clone(&received));
            let mut bytes = [0; 65_536];
            let mut answered = false;
            while let Ok(read @ 1..) = client.0.read(&mut bytes).await {
                let whole = {
                    let mut received = received.lock().unwrap();
                    received.extend_from_slice(&bytes[..read]);
                    is_whole(&received)
                };
                if whole && !answered {
                    answered = true;
                    // One request a connection, so that what belongs together stands together.
                    let close = String::from_utf8(ok("fine"))
                        .unwrap()
                        .replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
                    client.send(close).await;
                }
            }
        }
    })
    .await
}

/// Returns whether a strict server would take this for one whole request.
fn is_whole(bytes: &[u8]) -> bool {
    one_request(bytes).is_ok_and(|rest| rest.is_empty())
}

/// Reads one request as a strict server does, and returns what follows it.
fn one_request(bytes: &[u8]) -> Result<&[u8], String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no end of head")?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?;
    let body = &bytes[end + 4..];
    if head.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err(format!("stray control characters in {head:?}"));
    }
    let mut lines = head.split("\r\n");
    let first: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    if first.len() != 3 || first[2] != "HTTP/1.1" || !first[1].starts_with(['/', '*']) {
        return Err(format!("odd first line {first:?}"));
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(format!("no colon in {line:?}"))?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(format!("odd name {name:?}"));
        }
        fields.push((name.to_ascii_lowercase(), value.trim()));
    }
    let all = |name: &str| fields.iter().filter(|(n, _)| n == name).map(|(_, v)| *v).collect::<Vec<_>>();
    if all("host") != ["app"] {
        return Err(format!("hosts {:?}", all("host")));
    }
    match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Ok(body),
        ([length], []) if length.bytes().all(|b| b.is_ascii_digit()) => {
            body.get(length.parse().map_err(|_| "length")?..).ok_or("body not whole".into())
        }
        ([], ["chunked"]) => chunks(body),
        (lengths, codings) => Err(format!("framed by {lengths:?} and {codings:?}")),
    }
}

/// Reads chunks without extensions and returns what follows them.
fn chunks(mut body: &[u8]) -> Result<&[u8], String> {
    loop {
        let line = body.windows(2).position(|two| two == b"\r\n").ok_or("no end of line")?;
        let size = std::str::from_utf8(&body[..line]).map_err(|error| error.to_string())?;
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("odd size {size:?}"));
        }
        let size = usize::from_str_radix(size, 16).map_err(|error| error.to_string())?;
        body = &body[line + 2..];
        if size == 0 {
            let end = body.windows(2).position(|two| two == b"\r\n").ok_or("no end of trailers")?;
            return if end == 0 { Ok(&body[2..]) } else { Err("trailers".into()) };
        }
        if body.get(size..size + 2) != Some(b"\r\n") {
            return Err("chunk not whole".into());
        }
        body = &body[size + 2..];
    }
}

/// Sends `request` and returns the statuses that came back until the router closed the connection.
async fn sends(stage: &Stage, request: &[u8]) -> Vec<u16> {
    let mut client = Client::connect(stage.router.local_addr()).await;
    let _ = client.0.get_mut().write_all(request).await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(2), client.0.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection goes on after {:?}", String::from_utf8_lossy(request));
    let rest = String::from_utf8_lossy(&rest).into_owned();
    let statuses = rest.match_indices("HTTP/1.1 ");
    statuses.filter_map(|(at, found)| rest[at + found.len()..].get(..3)?.parse().ok()).collect()
}

/// Requests that are refused and never reach a replica whole.
const REFUSED: [&str; 54] = [
    // Lengths that contradict each other.
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3, 4\r\n\r\nabcd",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3,3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: +3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: -3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 0x3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3a\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: \r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 18446744073709551616\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 99999999999999999999999999\r\n\r\nabc",
    // Codings that not everybody reads alike.
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunkedx\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\nx: y\r\n\ttransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    // Names and values.
    "GET / HTTP/1.1\r\nhost: app\r\ncontent-length : 3\r\n\r\nabc",
    "GET / HTTP/1.1\r\nhost: app\r\ncontent\0-length: 3\r\n\r\nabc",
    "GET / HTTP/1.1\r\nhost: app\r\nx: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nx: a\rb\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\n: empty\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nx y: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nx: a\r\n folded\r\n\r\n",
    // Hosts.
    "GET / HTTP/1.1\r\nhost: app\r\nhost: app\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\nHost: evil\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app, evil\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\tevil\r\n\r\n",
    // First lines.
    "GET / HTTP/1.1 \r\nhost: app\r\n\r\n",
    "GET  / HTTP/1.1\r\nhost: app\r\n\r\n",
    "GET\t/ HTTP/1.1\r\nhost: app\r\n\r\n",
    "GET / HTTP/1.1\u{b}\r\nhost: app\r\n\r\n",
    "GET /a b HTTP/1.1\r\nhost: app\r\n\r\n",
    "GET / HTTP/2.0\r\nhost: app\r\n\r\n",
    "GET / HTTP/1.2\r\nhost: app\r\n\r\n",
    "GET / http/1.1\r\nhost: app\r\n\r\n",
    "GET /\r\n\r\n",
    "GET app HTTP/1.1\r\nhost: app\r\n\r\n",
    "CONNECT app:443 HTTP/1.1\r\nhost: app:443\r\n\r\n",
];

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused_and_its_connection_ends() {
    let seen = Seen::default();
    let replica = recorder(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut wrong = Vec::new();
    for request in REFUSED {
        // What follows may be the body of the malformed request, so it must not be answered as one of its own.
        let behind = format!("{request}GET /behind HTTP/1.1\r\nhost: app\r\n\r\n");
        let statuses = sends(&stage, behind.as_bytes()).await;
        let refused = matches!(statuses[..], [400 | 405 | 431 | 501 | 505] | []);
        let whole = drain(&seen).iter().any(|bytes| is_whole(bytes));
        if !refused || whole {
            wrong.push(format!("{statuses:?} whole={whole} for {request:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stage.ask(GET).await.text(), "fine");
    until(|| replica.backend.in_flight() == 0).await;
}

/// Bodies that are malformed after a head that is sound.
const BROKEN_CHUNKS: [&str; 17] = [
    "x\r\n\r\n",
    "-1\r\n\r\n",
    "+3\r\nabc\r\n0\r\n\r\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    "3_0\r\nabc\r\n0\r\n\r\n",
    "3 3\r\nabc\r\n0\r\n\r\n",
    "\r\n3\r\nabc\r\n0\r\n\r\n",
    "3\rabc\r\n0\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "3\r\nab\r\n0\r\n\r\n",
    "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "8000000000000000000000\r\n",
    "3\r\nabcX0\r\n\r\n",
    "3;a\rb\r\nabc\r\n0\r\n\r\n",
    "3;a\nb\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
];

#[tokio::test]
async fn a_malformed_body_never_becomes_a_whole_request_nor_lets_one_through_behind_it() {
    let seen = Seen::default();
    let replica = recorder(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut wrong = Vec::new();
    for body in BROKEN_CHUNKS {
        let head = "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n";
        let request = format!("{head}{body}GET /behind HTTP/1.1\r\nhost: app\r\n\r\n");
        let statuses = sends(&stage, request.as_bytes()).await;
        until(|| replica.backend.in_flight() == 0).await;
        let seen = drain(&seen);
        let behind = seen.iter().any(|bytes| String::from_utf8_lossy(bytes).contains("/behind"));
        let whole = seen.iter().any(|bytes| is_whole(bytes));
        if whole || behind || !matches!(statuses[..], [400 | 408 | 503] | []) {
            wrong.push(format!("{statuses:?} whole={whole} behind={behind} for {body:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stage.ask(GET).await.text(), "fine");
}

/// Requests that are sloppy and clear; a replica gets them in the one strict form.
const CLEANED: [&str; 15] = [
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "GET / HTTP/1.1\nhost: app\n\n",
    "\r\n\r\nGET / HTTP/1.1\r\nhost: app\r\n\r\n",
    "GET http://app/ HTTP/1.1\r\nhost: evil\r\n\r\n",
    "GET HTTP://app HTTP/1.1\r\nhost: app\r\n\r\n",
    "GET / HTTP/1.0\r\nhost: app\r\n\r\n",
    "GET / HTTP/1.1\r\nhost:app\r\nx:  y  \r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 003\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\nconnection: content-length\r\ncontent-length: 3\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: app\r\nconnection: host, transfer-encoding\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\nTransfer-Encoding: Chunked\r\n\r\n3;ext=\"a;b\"\r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer_encoding: chunked\r\ncontent-length: 3\r\n\r\nabc",
    "OPTIONS * HTTP/1.1\r\nhost: app\r\n\r\n",
];

#[tokio::test]
async fn a_sloppy_request_reaches_the_replica_in_one_strict_form_or_not_at_all() {
    let seen = Seen::default();
    let replica = recorder(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut wrong = Vec::new();
    for request in CLEANED {
        let mut client = Client::connect(stage.router.local_addr()).await;
        client.send(request).await;
        let status = client.answer().await.map(|answer| answer.status);
        until(|| replica.backend.in_flight() == 0).await;
        let seen = drain(&seen);
        let strict = matches!(&seen[..], [bytes] if is_whole(bytes));
        let sound = match status {
            Some(200) => strict,
            Some(400) => seen.is_empty(),
            _ => false,
        };
        if !sound {
            let seen: Vec<_> = seen.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
            wrong.push(format!("{status:?} for {request:?}: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A length beside a coding: the coding counts, and nothing behind it does (RFC 9112 section 6.3).
const TWO_LENGTHS: [&str; 4] = [
    "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: app\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
];

#[tokio::test]
async fn of_a_length_and_a_coding_the_length_is_dropped_and_the_connection_ends() {
    let seen = Seen::default();
    let replica = recorder(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    for request in TWO_LENGTHS {
        let behind = format!("{request}GET /behind HTTP/1.1\r\nhost: app\r\n\r\n");
        let statuses = sends(&stage, behind.as_bytes()).await;
        let seen = drain(&seen);
        match statuses[..] {
            [200] => assert!(seen.len() == 1 && is_whole(&seen[0]), "{request:?}"),
            [400] => assert!(seen.is_empty(), "{request:?}"),
            _ => panic!("{statuses:?} for {request:?}"),
        }
    }
}

#[tokio::test]
async fn two_requests_in_a_row_are_two_for_the_replica() {
    let seen = Seen::default();
    let replica = recorder(Arc::clone(&seen)).await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let first = "POST /1 HTTP/1.1\r\nhost: app\r\ncontent-length: 3\r\n\r\nabc";
    let mut client = stage.client().await;
    client.send(format!("{first}GET /2 HTTP/1.1\r\nhost: app\r\n\r\n")).await;
    for _ in 0..2 {
        assert_eq!(client.answer().await.unwrap().text(), "fine");
    }
    let seen = drain(&seen);
    assert!(seen.len() == 2 && seen.iter().all(|bytes| is_whole(bytes)));
}
