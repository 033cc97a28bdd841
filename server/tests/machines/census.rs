//! Which process answers under which name, asked all the time: of two that ever have one name at once, both answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::app::TestApp;
use crate::{visitor, wait};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// Who does not answer within this is asked again later.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers with its name and with what is another for each process.
pub(crate) const WEB: &str = r#"#!/usr/bin/python3
import http.server, os, signal, threading, uuid
me = (os.environ["DYNO"] + " " + uuid.uuid4().hex).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(me)))
        self.end_headers()
        self.wfile.write(me)
    def log_message(self, *arguments):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128
server = Server(("", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"#;

/// Somebody who keeps asking an app made of [`WEB`].
pub(crate) struct Census {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Answers>,
}

/// Who answered under each name, in the order of their first answers, without those that came again at once.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<String, Vec<String>>);

impl Census {
    pub(crate) fn start(app: &TestApp<'_>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (router, host, stopped) = (app.platform.router, app.host(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut answers = Answers::default();
            while !stopped.load(Ordering::Relaxed) {
                answers.ask(router, &host);
                std::thread::sleep(PAUSE);
            }
            answers
        });
        Self { stop, thread }
    }

    pub(crate) fn finish(self) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Answers {
    /// Asks until somebody has answered under each of so many names.
    pub(crate) fn now(app: &TestApp<'_>, names: usize) -> Self {
        let mut answers = Self::default();
        wait::until(&format!("{names} names to answer"), || {
            answers.ask(app.platform.router, &app.host());
            (answers.0.len() >= names).then_some(())
        });
        answers
    }

    fn ask(&mut self, router: SocketAddr, host: &str) {
        // Whether each is answered is not the question here.
        let Ok(answer) = visitor::get_within(PATIENCE, router, host, "/") else { return };
        let Some((name, process)) = answer.body.split_once(' ').filter(|_| answer.status == 200) else {
            return;
        };
        let seen = self.0.entry(name.to_owned()).or_default();
        if seen.last().is_none_or(|last| last != process) {
            seen.push(process.to_owned());
        }
    }

    /// Returns who answered last under each name.
    pub(crate) fn latest(&self) -> BTreeMap<&str, &str> {
        self.0.iter().map(|(name, seen)| (name.as_str(), seen.last().unwrap().as_str())).collect()
    }

    /// Fails the test if anybody answered under a name again after somebody else did: then two had it at once.
    #[track_caller]
    pub(crate) fn assert_no_name_had_two(&self) {
        for (name, seen) in &self.0 {
            let different: std::collections::BTreeSet<&String> = seen.iter().collect();
            assert_eq!(different.len(), seen.len(), "{name} was several at once: {seen:?}");
        }
    }
}
