//! Follows a stream: lines come milliseconds after they are written, in bounded memory.
//!
//! The disk is the buffer between the writers and a slow reader. Only when a reader is so far behind that
//! what it has not seen will soon be deleted, it is taken ahead and told how many lines it did not get.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::cursor::{self, Step};
use crate::merge::Merge;
use crate::watch::Watch;
use crate::{Line, Position, Query};

/// Blocks of lines that wait for the reader.
const WAITING_BLOCKS: usize = 8;
/// How far behind a reader is after it was taken ahead, in bytes.
const LAG_AFTER_SKIP: u64 = 1 << 20;
/// How often the lag of a reader that takes nothing is looked at.
const LAG_PERIOD: Duration = Duration::from_millis(100);
/// Pause after an error of the disk.
const RETRY_PERIOD: Duration = Duration::from_secs(1);

/// What a tail yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tailed {
    /// The next line that the query wants.
    Line(Line),
    /// Lines that the query wants and the reader was too slow for.
    Skipped(Skipped),
}

/// How much a slow reader did not get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Lines that were counted.
    pub lines: u64,
    /// More lines, deleted before anybody could count them, are missing too.
    pub more: bool,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lines, self.more) {
            (0, true) => f.write_str("older lines are no longer kept"),
            (lines, true) => write!(f, "more than {lines} lines skipped"),
            (1, false) => f.write_str("1 line skipped"),
            (lines, false) => write!(f, "{lines} lines skipped"),
        }
    }
}

/// A stream of lines that goes on until it is dropped.
#[derive(Debug)]
pub struct Tail {
    blocks: mpsc::Receiver<Vec<Tailed>>,
    block: VecDeque<Tailed>,
}

impl Tail {
    pub(crate) fn start(dir: PathBuf, query: Query, from: Position, most_lag: u64) -> Tail {
        let (sender, blocks) = mpsc::channel(WAITING_BLOCKS);
        let watch = Watch::on(&dir);
        let lines = Merge::new(dir.clone(), query, from);
        let follower = Follower { dir, lines, most_lag, skipped: Skipped::default() };
        tokio::spawn(follow(follower, watch, sender));
        Tail { blocks, block: VecDeque::new() }
    }
}

impl Stream for Tail {
    type Item = Tailed;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Tailed>> {
        loop {
            if let Some(tailed) = self.block.pop_front() {
                return Poll::Ready(Some(tailed));
            }
            match ready!(self.blocks.poll_recv(context)) {
                Some(block) => self.block = block.into(),
                None => return Poll::Ready(None),
            }
        }
    }
}

async fn follow(mut follower: Follower, mut watch: Watch, sender: mpsc::Sender<Vec<Tailed>>) {
    loop {
        let (back, turn) = in_background(follower, Follower::turn).await;
        follower = back;
        let (block, step) = match turn {
            Ok(turn) => turn,
            Err(_) if cursor::is_deleted(&follower.dir) => return,
            Err(error) => {
                tracing::warn!(%error, dir = %follower.dir.display(), "cannot read the log, will try again");
                tokio::time::sleep(RETRY_PERIOD).await;
                continue;
            }
        };
        if !block.is_empty() {
            let Some(back) = deliver(follower, block, &sender).await else { return };
            follower = back;
        }
        if step == Step::End {
            tokio::select! {
                () = watch.changed() => {}
                () = sender.closed() => return,
            }
        }
    }
}

/// Hands a block over as soon as the reader has room; `None` if the reader is gone.
async fn deliver(
    mut follower: Follower,
    block: Vec<Tailed>,
    sender: &mpsc::Sender<Vec<Tailed>>,
) -> Option<Follower> {
    loop {
        if let Ok(permit) = tokio::time::timeout(LAG_PERIOD, sender.reserve()).await {
            permit.ok()?.send(block);
            return Some(follower);
        }
        let (back, skipped) = in_background(follower, Follower::skip_if_behind).await;
        follower = back;
        if let Err(error) = skipped {
            tracing::debug!(%error, dir = %follower.dir.display(), "cannot read the log ahead");
        }
    }
}

async fn in_background<T: Send + 'static>(
    mut follower: Follower,
    act: impl FnOnce(&mut Follower) -> T + Send + 'static,
) -> (Follower, T) {
    let done = spawn_blocking(move || {
        let result = act(&mut follower);
        (follower, result)
    });
    done.await.expect("reading a log does not panic, and nobody aborts it")
}

struct Follower {
    dir: PathBuf,
    lines: Merge,
    most_lag: u64,
    skipped: Skipped,
}

impl Follower {
    fn turn(&mut self) -> io::Result<(Vec<Tailed>, Step)> {
        self.skip_if_behind()?;
        let mut lines = Vec::new();
        let step = self.lines.step(|line| lines.push(Tailed::Line(line)))?;
        self.skipped.more |= self.lines.take_missed();
        let skipped = std::mem::take(&mut self.skipped);
        if skipped != Skipped::default() {
            lines.insert(0, Tailed::Skipped(skipped));
        }
        Ok((lines, step))
    }

    fn skip_if_behind(&mut self) -> io::Result<()> {
        if self.lines.lag()? > self.most_lag {
            self.skipped.lines += self.lines.skip_to(LAG_AFTER_SKIP.min(self.most_lag / 4))?;
            self.skipped.more |= self.lines.take_missed();
        }
        Ok(())
    }
}
