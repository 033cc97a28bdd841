//! Streams and uploads that are under way while their replica leaves go to their end; a WebSocket goes on until the
//! replica's drain time is over and is then told that the server goes away.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{deployed, settle};
use crate::app::TestApp;
use crate::platform::TestPlatform;
use crate::websocket::{FRAME, open};
use crate::{visitor, wait};

/// How long a stream or an upload takes, less than the time to drain.
const TAKES: Duration = Duration::from_millis(2_500);

/// How often one begins.
const EVERY: Duration = Duration::from_millis(100);

const UPLOAD_BYTES: usize = 4_000_000;
const PIECES: usize = 40;

fn stream(router: SocketAddr, host: &str) -> Result<(), String> {
    let answer = visitor::get(router, host, &format!("/stream={}", TAKES.as_secs_f32()));
    let answer = answer.map_err(|error| format!("a stream: {error}"))?;
    let whole = answer.status == 200 && answer.body.matches("drop\n").count() == 20;
    if whole && answer.body.ends_with("0\r\n\r\n") { Ok(()) } else { Err(format!("a stream: {answer:?}")) }
}

fn upload(router: SocketAddr, host: &str) -> Result<(), String> {
    let sent = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect(router)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            socket,
            "POST /upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: {UPLOAD_BYTES}\r\nConnection: close\r\n\r\n"
        )?;
        let piece = vec![b'x'; UPLOAD_BYTES / PIECES];
        for _ in 0..PIECES {
            socket.write_all(&piece)?;
            std::thread::sleep(TAKES / u32::try_from(PIECES).unwrap());
        }
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = sent().map_err(|error| format!("an upload: {error}"))?;
    let whole = answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\ntaken");
    if whole { Ok(()) } else { Err(format!("an upload: {answer}")) }
}

/// Begins streams and uploads in turn until the change is made and settled; fails the test unless all were whole.
fn during(app: &TestApp<'_>, what: &str, change: impl FnOnce()) {
    let (done, begun) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (router, host) = (app.platform.router, &app.host());
    let outcomes: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let (done, begun) = (&done, &begun);
        let visitors = scope.spawn(move || {
            let mut visitors = Vec::new();
            for kind in [stream, upload].into_iter().cycle() {
                if done.load(Ordering::Relaxed) {
                    return visitors;
                }
                visitors.push(scope.spawn(move || kind(router, host)));
                begun.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(EVERY);
            }
            visitors
        });
        wait::until("some to be under way", || (begun.load(Ordering::Relaxed) >= 10).then_some(()));
        change();
        settle(app);
        done.store(true, Ordering::Relaxed);
        visitors.join().unwrap().into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    let failures: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    eprintln!("{what}: {} streams and uploads of {TAKES:?}, {} failed", outcomes.len(), failures.len());
    assert!(failures.is_empty(), "{what}: {failures:#?} of {}", outcomes.len());
}

#[test]
fn a_stream_or_an_upload_that_is_under_way_goes_to_its_end() {
    let platform = TestPlatform::start();
    let app = deployed(&platform, "patient");
    during(&app, "deploy", || drop(app.commit("Again").deploy()));
    during(&app, "scale down", || drop(app.paasctl(&["ps:scale", "web=1"])));
    during(&app, "ps:restart", || drop(app.paasctl(&["ps:restart"])));
}

#[test]
fn what_drains_while_the_server_is_replaced_still_finishes_what_the_server_of_before_sent_it() {
    let mut platform = TestPlatform::start();
    let host = deployed(&platform, "handed").host();
    for replace in [false, true] {
        let router = platform.router;
        let visitors: Vec<_> = [stream, upload, stream, upload]
            .map(|kind| {
                let host = host.clone();
                std::thread::spawn(move || kind(router, &host))
            })
            .into();
        let app = platform.known_app("handed");
        wait::until("all to be under way", || {
            let replicas = app.json(&["ps"]);
            let busy = replicas.as_array()?.iter().filter_map(|replica| replica["in_flight"].as_u64());
            (busy.sum::<u64>() == 4).then_some(())
        });
        app.paasctl(&["config:set", &format!("REPLACE={replace}")]);
        if replace {
            platform.replace();
        } else {
            platform.restart(true);
        }
        for visitor in visitors {
            assert_eq!(visitor.join().unwrap(), Ok(()), "replace: {replace}");
        }
        settle(&platform.known_app("handed"));
    }
}

/// Sends a frame every now and then until the socket is closed; returns the last frame and when it came.
fn talk(mut socket: TcpStream) -> JoinHandle<(Vec<u8>, Instant)> {
    std::thread::spawn(move || {
        loop {
            // The other side may close between the two.
            let _ = socket.write_all(&FRAME);
            let mut frame = [0; 4];
            socket.read_exact(&mut frame).unwrap();
            if frame != FRAME {
                return (frame.to_vec(), Instant::now());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    })
}

#[test]
fn a_websocket_is_closed_as_going_away_when_its_replicas_drain_time_is_nearly_over() {
    let platform = TestPlatform::start();
    let app = deployed(&platform, "chatty");
    app.paasctl(&["settings:set", "drain-seconds=4"]);
    let changes: [(&str, &[&str]); 2] =
        [("config:set", &["config:set", "A=1"]), ("scale down", &["ps:scale", "web=0"])];
    for (what, command) in changes {
        let sockets: Vec<_> = (0..4).map(|_| talk(open(platform.router, &app.host()))).collect();
        let begun = Instant::now();
        app.paasctl(command);
        for socket in sockets {
            let (goodbye, at) = socket.join().unwrap();
            assert_eq!(
                (goodbye[0], &goodbye[2..]),
                (0x88, &1001_u16.to_be_bytes()[..]),
                "{what}: {goodbye:?}"
            );
            // It is told a second before the replica is stopped.
            assert!(at - begun >= Duration::from_millis(2_900), "{what}: told after {:?}", at - begun);
        }
        settle(&app);
    }
}
