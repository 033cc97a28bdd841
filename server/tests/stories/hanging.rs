//! A replica that hangs: it still accepts, because the kernel does, and answers nobody.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::app::TestApp;
use crate::platform::TestPlatform;
use crate::wait;

/// How long a visitor waits here; far longer than the app needs, and far less than a probe may take.
const PATIENCE: Duration = Duration::from_millis(500);

#[test]
fn one_of_two_that_hangs_gets_no_requests_until_it_answers() {
    let platform = TestPlatform::start();
    let app = platform.app("hangs");
    app.greets("one").deploy();
    app.paasctl(&["config:set", "MARK=one-of-two-that-hangs"]);
    app.paasctl(&["scale", "web=2"]);
    both_answer(&app);
    let processes = processes_of("web.1");
    assert!(!processes.is_empty());
    signal(&processes, Signal::STOP);
    let hung = Instant::now();
    wait::until("thirty answers in a row", || {
        (0..30).all(|_| me(&app).is_some_and(|name| name == "web.2")).then_some(())
    });
    eprintln!("thirty answers in a row {:?} after it hung", hung.elapsed());
    // By its health alone it would have stayed until it was unresponsive.
    let log = app.paasctl(&["logs", "-n", "200"]);
    assert!(!log.contains("unresponsive"), "{log}");
    signal(&processes, Signal::CONT);
    both_answer(&app);
}

fn both_answer(app: &TestApp<'_>) {
    wait::until("both to answer", || {
        let names: BTreeSet<_> = (0..20).filter_map(|_| me(app)).collect();
        (names.len() == 2).then_some(())
    });
}

/// Returns which replica answers, if one does in time.
fn me(app: &TestApp<'_>) -> Option<String> {
    let mut stream = TcpStream::connect(app.platform.router).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /me HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", app.host()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

/// Returns the processes of this app's replica with that name, which their environment tells.
fn processes_of(name: &str) -> Vec<Pid> {
    let wanted = [format!("DYNO={name}"), "MARK=one-of-two-that-hangs".to_owned()];
    let is_one = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |wanted: &String| environment.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes());
        wanted.iter().all(has)
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(is_one).filter_map(Pid::from_raw).collect()
}

fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        kill_process(*process, signal).unwrap();
    }
}
