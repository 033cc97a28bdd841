//! One push as the server sees it: a secret that the hook shows, the request it brings, and the line back to the person
//! who pushes. That line never holds anybody up: what does not fit is left out and counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::frame::{self, Kind};
use super::server::Waiting;
use super::{PROGRAM, PushRequest, SESSION, SOCKET};

/// Frames that wait for a slow client.
pub(super) const FRAMES_AHEAD: usize = 512;
/// How long the last words may take to reach the hook.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// What git needs in its environment so that the hook finds the server. Does not show its secret.
#[derive(Clone)]
pub struct HookEnv {
    pub(super) program: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) session: String,
}

impl HookEnv {
    pub(crate) fn apply(&self, command: &mut Command) {
        command.env(PROGRAM, &self.program).env(SOCKET, &self.socket).env(SESSION, &self.session);
    }
}

/// A push that has been announced to the hook's server. Dropped, its secret is worth nothing.
pub struct Session {
    pub(super) env: HookEnv,
    pub(super) request: oneshot::Receiver<(PushRequest, PushReply)>,
    pub(super) waiting: Arc<Waiting>,
}

impl Session {
    /// Returns what `serve` gives to git.
    pub fn env(&self) -> &HookEnv {
        &self.env
    }

    /// Waits for the hook; none if git ended without running it, as when a client only asks whether it may push.
    pub async fn request(&mut self, ended: &CancellationToken) -> Option<(PushRequest, PushReply)> {
        tokio::select! {
            biased;
            request = &mut self.request => request.ok(),
            () = ended.cancelled() => None,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.waiting.forget(&self.env.session);
    }
}

/// The line back to the person who pushes. Dropped without `finish`, the push is refused.
pub struct PushReply {
    frames: mpsc::Sender<Vec<u8>>,
    left_out: AtomicU64,
}

impl PushReply {
    pub(super) fn new(frames: mpsc::Sender<Vec<u8>>) -> Self {
        Self { frames, left_out: AtomicU64::new(0) }
    }

    /// Shows bytes, as they are, to the person who pushes; returns at once. Lines end with LF; bytes for somebody who
    /// is gone, or too slow, are left out.
    pub fn say(&self, words: &[u8]) {
        for part in words.chunks(frame::LONGEST_WORDS) {
            let left_out = self.left_out.load(Ordering::Relaxed);
            if left_out > 0 && self.try_send(note(left_out).as_bytes()) {
                self.left_out.fetch_sub(left_out, Ordering::Relaxed);
            }
            if self.left_out.load(Ordering::Relaxed) > 0 || !self.try_send(part) {
                self.left_out.fetch_add(part.len() as u64, Ordering::Relaxed);
            }
        }
    }

    fn try_send(&self, words: &[u8]) -> bool {
        self.frames.try_send(frame::encode(Kind::Say, words)).is_ok()
    }

    /// Returns whether somebody is still listening.
    pub fn is_attached(&self) -> bool {
        !self.frames.is_closed()
    }

    /// Returns when nobody listens any more.
    pub async fn gone(&self) {
        self.frames.closed().await;
    }

    /// Ends the push: 0 lets git move the references, anything else refuses. Returns whether somebody was there to take
    /// the verdict; what git made of it is to be read from the repository once the reply's `ended` is cancelled.
    pub async fn finish(self, status: u8) -> bool {
        let last = async {
            let left_out = self.left_out.load(Ordering::Relaxed);
            if left_out > 0 {
                self.frames.send(frame::encode(Kind::Say, note(left_out).as_bytes())).await.ok()?;
            }
            self.frames.send(frame::encode(Kind::Exit, &[status])).await.ok()?;
            Some(())
        };
        matches!(tokio::time::timeout(LAST_WORDS, last).await, Ok(Some(())))
    }
}

fn note(left_out: u64) -> String {
    format!("\n[{left_out} bytes left out, the connection is too slow; the build's log has them]\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_client_holds_nobody_up_and_learns_how_much_it_missed() {
        let (sender, mut frames) = mpsc::channel(2);
        let reply = PushReply::new(sender);
        ["one\n", "two\n", "lost\n", "gone\n"].iter().for_each(|line| reply.say(line.as_bytes()));
        let mut seen = String::new();
        for _ in 0..2 {
            seen += &String::from_utf8_lossy(&frames.recv().await.unwrap()[frame::HEADER..]);
        }
        reply.say(b"five\n");
        for _ in 0..2 {
            seen += &String::from_utf8_lossy(&frames.recv().await.unwrap()[frame::HEADER..]);
        }
        assert!(seen.starts_with("one\ntwo\n\n[10 bytes left out") && seen.ends_with("five\n"), "{seen}");
        assert!(reply.is_attached());
        drop(frames);
        reply.say(b"to nobody");
        reply.gone().await;
        assert!(!reply.finish(0).await);
    }
}
