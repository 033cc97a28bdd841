//! HTTP/2 with prior knowledge: visitors speak it, replicas hear HTTP/1.1.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod stage;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use stage::{Client, Replica, Stage, bounded, ok, until};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Body = BoxBody<Bytes, Infallible>;

async fn connect(stage: &Stage) -> SendRequest<Body> {
    let stream = TcpStream::connect(stage.router.local_addr()).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://app{path}")).body(Empty::new().boxed()).unwrap()
}

async fn ask(sender: &mut SendRequest<Body>, request: Request<Body>) -> Response<Incoming> {
    bounded(sender.send_request(request)).await.unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = bounded(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_replica_hears_http1_with_its_host_and_one_cookie_header() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    let mut request = get("/a?b=c");
    request.headers_mut().append("cookie", "one=1".parse().unwrap());
    request.headers_mut().append("cookie", "two=2".parse().unwrap());
    let heard = text(ask(&mut sender, request).await).await;
    assert!(heard.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("host: app\r\n") && heard.contains("cookie: one=1; two=2\r\n"), "{heard}");
    assert!(heard.contains("x-forwarded-proto: http\r\n"), "{heard}");
    assert!(stage.lines.nth(1).await.contains("status=200"));
    let body = Full::new(Bytes::from_static(b"body")).boxed();
    let heard = text(ask(&mut sender, Request::post("http://app/").body(body).unwrap()).await).await;
    assert!(heard.starts_with("POST / ") && heard.ends_with("\r\n\r\nbody"), "{heard}");
    assert_eq!(
        ask(&mut sender, Request::get("http://nobody/").body(Empty::new().boxed()).unwrap()).await.status(),
        404
    );
}

#[tokio::test]
async fn many_requests_at_once_share_a_connection() {
    let replica = Replica::raw("web.1", |mut client| async move {
        while client.head().await.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            client.send(ok("done")).await;
        }
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let sender = connect(&stage).await;
    let all = (0..50).map(|_| {
        let mut sender = sender.clone();
        async move { text(ask(&mut sender, get("/")).await).await }
    });
    let began = Instant::now();
    assert!(futures::future::join_all(all).await.iter().all(|text| text == "done"));
    assert!(began.elapsed() < Duration::from_secs(4), "one after another takes five seconds");
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn chunks_and_trailers_pass_at_once_in_both_directions() {
    let replica = Replica::raw("web.1", |mut client| async move {
        let head = client.head().await.unwrap();
        assert!(head.contains("te: trailers"), "{head}");
        client.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n").await;
        client.expect("3\r\none\r\n").await;
        client.send("4\r\nONE!\r\n").await;
        client.expect("0\r\nx-sum: 6\r\n\r\n").await;
        client.send("0\r\nx-sum: 7\r\n\r\n").await;
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    let (frames, receiver) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
    let mut request = Request::post("http://app/").body(BodyExt::boxed(StreamBody::new(receiver))).unwrap();
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    request.headers_mut().insert("trailer", "x-sum".parse().unwrap());
    let mut response = ask(&mut sender, request).await;
    frames.unbounded_send(Ok(Frame::data(Bytes::from_static(b"one")))).unwrap();
    let first = bounded(response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "ONE!");
    let sum = HeaderMap::from_iter([("x-sum".parse().unwrap(), "6".parse().unwrap())]);
    frames.unbounded_send(Ok(Frame::trailers(sum))).unwrap();
    drop(frames);
    let last = bounded(response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(last.into_trailers().unwrap()["x-sum"], "7");
}

#[tokio::test]
async fn a_stream_that_is_reset_frees_its_replica_and_no_other_stream() {
    let replica = Replica::raw("web.1", |mut client| async move {
        let head = client.head().await.unwrap();
        if head.starts_with("GET /quick") {
            client.send(ok("quick")).await;
        }
        client.rest().await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    let mut slow = sender.clone();
    let slow = tokio::spawn(async move { slow.send_request(get("/slow")).await.map(drop) });
    until(|| replica.backend.in_flight() == 1).await;
    slow.abort();
    assert!(stage.lines.nth(1).await.contains("code=H27"));
    until(|| replica.backend.in_flight() == 0).await;
    assert_eq!(text(ask(&mut sender, get("/quick")).await).await, "quick");
}

#[tokio::test]
async fn time_limits_hold_for_each_stream() {
    let replica = Replica::raw("web.1", |mut client| async move {
        let head = client.head().await.unwrap();
        if head.starts_with("GET /begins") {
            client.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
        }
        client.rest().await;
        std::future::pending().await
    })
    .await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.first_byte = Duration::from_millis(200);
        options.timeouts.idle = Duration::from_millis(200);
    });
    let mut sender = connect(&stage).await;
    assert_eq!(ask(&mut sender, get("/")).await.status(), 503);
    assert!(stage.lines.nth(1).await.contains("code=H12"));
    let response = ask(&mut sender, get("/begins")).await;
    assert!(bounded(response.into_body().collect()).await.is_err(), "the visitor sees that it is not whole");
    assert!(stage.lines.nth(2).await.contains("code=H15"));
    let endless = BodyExt::boxed(StreamBody::new(futures::stream::pending()));
    let response = ask(&mut sender, Request::post("http://app/").body(endless).unwrap()).await;
    assert_eq!(response.status(), 408);
    assert!(stage.lines.nth(3).await.contains("code=H28"));
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn h28_a_visitor_who_does_not_take_an_answer() {
    let replica = Replica::answering("web.1", |_, _| ok(vec![0; 16 << 20])).await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.idle = Duration::from_millis(300);
    });
    let mut sender = connect(&stage).await;
    let _held = ask(&mut sender, get("/")).await;
    assert!(stage.lines.nth(1).await.contains("code=H28"));
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn a_visitor_who_takes_an_answer_slowly_gets_all_of_it() {
    const BYTES: usize = 3 << 20;
    let replica = Replica::answering("web.1", |_, _| ok(vec![0; BYTES])).await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.idle = Duration::from_millis(500);
    });
    let stream = TcpStream::connect(stage.router.local_addr()).await.unwrap();
    let mut few = http2::Builder::new(TokioExecutor::new());
    few.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let (mut sender, connection) = few.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut body = ask(&mut sender, get("/")).await.into_body();
    let (mut taken, mut paid, mut slowly) = (0, 0, tokio::time::interval(Duration::from_millis(30)));
    while let Some(frame) = bounded(body.frame()).await {
        taken += frame.unwrap().into_data().unwrap().len();
        while paid < taken {
            paid += 16 << 10;
            slowly.tick().await;
        }
    }
    assert_eq!(taken, BYTES);
    assert!(stage.lines.nth(1).await.contains(&format!("bytes={BYTES}")));
}

#[tokio::test]
async fn a_large_upload_passes_and_one_that_nobody_reads_waits() {
    let replica = Replica::raw("web.1", |mut client| async move {
        let head = client.head().await.unwrap();
        if head.starts_with("POST /unread") {
            return std::future::pending().await;
        }
        let mut got = 0;
        while let Ok(Some(chunk)) = client.chunk().await {
            got += chunk.len();
        }
        client.send(ok(got.to_string())).await;
    })
    .await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    let pieces = || {
        let piece = Bytes::from(vec![7; 1 << 20]);
        futures::stream::iter(0..64).map(move |_| Ok(Frame::data(piece.clone())))
    };
    let request = Request::post("http://app/").body(BodyExt::boxed(StreamBody::new(pieces()))).unwrap();
    assert_eq!(text(ask(&mut sender, request).await).await, (64 << 20).to_string());
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let counted = pieces().inspect(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    });
    let request = Request::post("http://app/unread").body(BodyExt::boxed(StreamBody::new(counted))).unwrap();
    let pending = tokio::time::timeout(Duration::from_millis(500), sender.send_request(request)).await;
    assert!(pending.is_err());
    let sent = sent.load(std::sync::atomic::Ordering::SeqCst);
    assert!(sent < 24, "{sent} MB are buffered somewhere");
}

/// A replica that agrees to a WebSocket and says what it hears.
async fn echoing() -> Replica {
    Replica::raw("web.1", |mut client: Client| async move {
        let head = client.head().await.unwrap();
        let asks =
            ["GET /ws HTTP/1.1", "upgrade: websocket", "sec-websocket-key: ", "sec-websocket-version: 13"];
        if head.starts_with("GET /refused") {
            return client.send(ok("a page")).await;
        }
        assert!(asks.iter().all(|part| head.contains(part)), "{head}");
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: x\r\nsec-websocket-protocol: chat\r\n\r\n";
        client.send(agreed).await;
        let (mut read, mut write) = client.0.into_inner().into_split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

fn websocket(path: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://app{path}"))
        .body(Empty::new().boxed())
        .unwrap();
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request
}

#[tokio::test]
async fn a_websocket_passes_by_an_extended_connect_and_ends_with_1001() {
    let replica = echoing().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    assert_eq!(ask(&mut sender, get("/refused")).await.status(), 200);
    let response = ask(&mut sender, websocket("/ws")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut tunnel = TokioIo::new(bounded(hyper::upgrade::on(response)).await.unwrap());
    let frame = [0x82, 0x03, 1, 2, 3];
    for _ in 0..3 {
        tunnel.write_all(&frame).await.unwrap();
        let mut back = [0; 5];
        bounded(tunnel.read_exact(&mut back)).await.unwrap();
        assert_eq!(back, frame);
    }
    assert_eq!(replica.backend.tunnels(), 1);
    replica.backend.leave(Instant::now());
    let mut rest = Vec::new();
    bounded(tunnel.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, [0x88, 2, 0x03, 0xe9]);
    drop(tunnel);
    until(|| replica.backend.in_flight() == 0).await;
}

#[tokio::test]
async fn a_page_in_place_of_a_websocket_does_not_pass_for_one() {
    let replica = echoing().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    ask(&mut sender, get("/refused")).await;
    assert_eq!(ask(&mut sender, websocket("/refused")).await.status(), 503);
    assert!(stage.lines.nth(2).await.contains("code=H17"));
}

#[tokio::test]
async fn a_router_that_stops_finishes_the_streams_of_a_connection() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let replica = Replica::raw("web.1", move |mut client| {
        let gate = Arc::clone(&opened);
        async move {
            client.head().await.unwrap();
            gate.acquire().await.unwrap().forget();
            client.send(ok("done")).await;
            client.rest().await;
        }
    })
    .await;
    let stage = Stage::with(vec![Arc::clone(&replica.backend)], |options, _| {
        options.timeouts.linger = Duration::from_millis(100);
    });
    let mut sender = connect(&stage).await;
    let mut held = sender.clone();
    let held = tokio::spawn(async move { text(ask(&mut held, get("/")).await).await });
    until(|| replica.backend.in_flight() == 1).await;
    let address = stage.router.local_addr();
    let began = Instant::now();
    let stopping = tokio::spawn(stage.router.shutdown(stage::PATIENCE));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    gate.add_permits(1);
    assert_eq!(bounded(held).await.unwrap(), "done");
    bounded(stopping).await.unwrap();
    assert!(began.elapsed() < stage::PATIENCE / 2, "the connection ends with its last stream");
    assert!(bounded(sender.ready()).await.is_err());
}

#[tokio::test]
async fn a_connection_without_a_stream_is_closed_in_time() {
    let stage = Stage::with(vec![], |options, _| options.timeouts.keep_alive = Duration::from_millis(200));
    let mut sender = connect(&stage).await;
    bounded(async {
        while sender.ready().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn oversized_heads_and_two_hosts_are_refused() {
    let replica = Replica::mirror().await;
    let stage = Stage::new(vec![Arc::clone(&replica.backend)]);
    let mut sender = connect(&stage).await;
    let mut request = get("/");
    request.headers_mut().insert("host", "other".parse().unwrap());
    assert_eq!(ask(&mut sender, request).await.status(), 400);
    let mut request = get("/");
    for n in 0..10 {
        let name: http::HeaderName = format!("x-{n}").parse().unwrap();
        request.headers_mut().insert(name, "y".repeat(10_000).parse().unwrap());
    }
    if let Ok(response) = bounded(sender.send_request(request)).await {
        assert_eq!(response.status(), 431);
    }
    assert_eq!(replica.connections(), 0);
}
