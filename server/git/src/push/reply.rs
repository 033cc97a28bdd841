//! The line back to the person who pushes. It never holds anybody up: what does not fit is left out and counted.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::report::{Fate, Terms};

/// Bytes of words that are one packet.
const LONGEST_WORDS: usize = 16 << 10;
/// How long the last words may take to be sent.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How often a client that waits hears that it is not forgotten; as git does (`receive.keepAlive`).
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

pub(crate) type Chunks = mpsc::Sender<io::Result<Bytes>>;

/// The line back to the person who pushes. Dropped without `finish`, the client sees the connection end.
pub struct PushReply {
    out: Chunks,
    terms: Terms,
    left_out: AtomicU64,
    /// The references that the caller decides about, in the order of the push.
    asked: Vec<String>,
    /// Those that are decided.
    refused: Vec<(String, Fate)>,
}

impl PushReply {
    pub(super) fn new(out: Chunks, terms: Terms) -> Self {
        let (quiet, alive) = (terms.sign_of_life(), out.downgrade());
        if !quiet.is_empty() {
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SIGN_OF_LIFE).await;
                    let Some(out) = alive.upgrade().filter(|out| !out.is_closed()) else { return };
                    let _ = out.try_send(Ok(quiet.clone()));
                }
            });
        }
        Self { out, terms, left_out: AtomicU64::new(0), asked: Vec::new(), refused: Vec::new() }
    }

    /// Notes which references there is to be an answer for.
    pub(super) fn expect(&mut self, asked: Vec<String>, refused: Vec<(String, Fate)>) {
        (self.asked, self.refused) = (asked, refused);
    }

    /// Shows bytes, as they are, to the person who pushes; returns at once. Lines end with LF; bytes for somebody who
    /// is gone, or too slow, are left out.
    pub fn say(&self, words: &[u8]) {
        for part in words.chunks(LONGEST_WORDS) {
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
        let packets = self.terms.words(words);
        packets.is_empty() || self.out.try_send(Ok(packets)).is_ok()
    }

    /// Returns whether somebody is still listening.
    pub fn is_attached(&self) -> bool {
        !self.out.is_closed()
    }

    /// Returns when nobody listens any more.
    pub async fn gone(&self) {
        self.out.closed().await;
    }

    /// Ends the push with what became of each of the request's updates, in their order; one without a fate is refused.
    /// Returns whether somebody was there to hear it.
    pub async fn finish(self, fates: impl IntoIterator<Item = Fate>) -> bool {
        let unknown = std::iter::repeat_with(|| Err("the server did not come to it".to_owned()));
        let asked = self.asked.into_iter().zip(fates.into_iter().chain(unknown));
        let report = self.terms.report(&Ok(()), &asked.chain(self.refused).collect::<Vec<_>>());
        Self::last(&self.out, self.terms, self.left_out.into_inner(), report).await
    }

    /// Ends a push of which nothing was taken in: the lines, and the reason in a few words.
    pub(super) async fn give_up(mut self, lines: &[String], reason: &str) {
        for line in lines {
            self.say(format!("{line}\n").as_bytes());
        }
        let why: Fate = Err(reason.to_owned());
        let fates: Vec<_> = self.asked.drain(..).map(|name| (name, why.clone())).collect();
        let report = self.terms.report(&why, &fates);
        Self::last(&self.out, self.terms, self.left_out.into_inner(), report).await;
    }

    async fn last(out: &Chunks, terms: Terms, left_out: u64, report: Bytes) -> bool {
        let last = async {
            if left_out > 0 {
                out.send(Ok(terms.words(note(left_out).as_bytes()))).await.ok()?;
            }
            out.send(Ok(report)).await.ok()
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

    fn text(packet: Option<io::Result<Bytes>>) -> String {
        String::from_utf8_lossy(&packet.unwrap().unwrap()[5..]).into_owned()
    }

    #[tokio::test]
    async fn a_slow_client_holds_nobody_up_and_learns_how_much_it_missed() {
        let (out, mut packets) = mpsc::channel(2);
        let mut terms = Terms::default();
        terms.take(b"side-band-64k");
        let reply = PushReply::new(out, terms);
        ["one\n", "two\n", "lost\n", "gone\n"].iter().for_each(|line| reply.say(line.as_bytes()));
        let mut seen = text(packets.recv().await) + &text(packets.recv().await);
        reply.say(b"five\n");
        seen += &(text(packets.recv().await) + &text(packets.recv().await));
        assert!(seen.starts_with("one\ntwo\n\n[10 bytes left out") && seen.ends_with("five\n"), "{seen}");
        assert!(reply.is_attached());
        drop(packets);
        reply.say(b"to nobody");
        reply.gone().await;
        assert!(!reply.finish([]).await);
    }

    #[tokio::test]
    async fn who_waits_long_hears_that_it_is_not_forgotten_and_then_the_end() {
        let (out, mut packets) = mpsc::channel(2);
        let mut terms = Terms::default();
        terms.take(b"side-band-64k");
        let reply = PushReply::new(out, terms);
        assert_eq!(packets.recv().await.unwrap().unwrap(), "0005\u{1}");
        assert!(reply.finish([]).await);
        assert_eq!(packets.recv().await.unwrap().unwrap(), "0000");
        assert!(packets.recv().await.is_none(), "nothing keeps the answer open");
    }
}
