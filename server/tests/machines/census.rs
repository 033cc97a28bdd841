//! Which process answers under which name, asked all the time: of two that ever have one name at once, both answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{visitor, wait};

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// Who does not answer within this is asked again later.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers with its name and with what is another for each process; it takes the processor as little time as can be.
pub(crate) const WEB: &str = r#"#!/usr/bin/python3
import asyncio, os, signal, uuid
me = (os.environ["DYNO"] + " " + uuid.uuid4().hex).encode()
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(me), me)
class Visit(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.heard = transport, b""
    def data_received(self, data):
        self.heard += data
        asked = self.heard.count(b"\r\n\r\n")
        if asked:
            self.heard = self.heard[self.heard.rindex(b"\r\n\r\n") + 4:]
            self.transport.write(answer * asked)
async def serve():
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    await loop.create_server(Visit, "", int(os.environ["PORT"]), backlog=128)
    await told.wait()
asyncio.run(serve())
"#;

/// Somebody who keeps asking an app made of [`WEB`].
pub(crate) struct Census {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Answers>,
}

/// Who answered under each name at each router, in the order of their first answers, without those that came again at
/// once.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<(String, SocketAddr), Vec<String>>);

impl Census {
    /// Asks at these routers in turn.
    pub(crate) fn start(routers: &[SocketAddr], host: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (routers, host, stopped) = (routers.to_vec(), host.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut answers = Answers::default();
            for router in routers.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                answers.ask(*router, &host);
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
    /// Asks a router until somebody has answered under each of so many names.
    pub(crate) fn of(router: SocketAddr, host: &str, names: usize) -> Self {
        let mut answers = Self::default();
        wait::until(&format!("{names} names to answer"), || {
            answers.ask(router, host);
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
        let seen = self.0.entry((name.to_owned(), router)).or_default();
        if seen.last().is_none_or(|last| last != process) {
            seen.push(process.to_owned());
        }
    }

    /// Returns who answered last under each name.
    pub(crate) fn latest(&self) -> BTreeMap<&str, &str> {
        self.0.iter().map(|((name, _), seen)| (name.as_str(), seen.last().unwrap().as_str())).collect()
    }

    /// Fails the test if anybody answered under a name again after somebody else did: then two had it at once.
    #[track_caller]
    pub(crate) fn assert_no_name_had_two(&self) {
        for ((name, _), seen) in &self.0 {
            let different: std::collections::BTreeSet<&String> = seen.iter().collect();
            assert_eq!(different.len(), seen.len(), "{name} was several at once: {seen:?}");
        }
    }
}
