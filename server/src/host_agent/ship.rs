//! Brings what replicas wrote to a server, any of them: which of it is there already the server says, so that neither a
//! crash here nor one there leaves a gap or brings a line twice.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use fleet::{Chunk, Link, Taken, encode_chunks};
use jiff::Timestamp;
use logs::{Bounds, LogDir, Piece, Spool};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What names this start of the machine (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How often it is looked whether there is more.
const LOOK: Duration = Duration::from_millis(150);

/// How long to wait after no server took anything.
const PAUSE: Duration = Duration::from_secs(1);

/// Most bytes in one request; the server takes 16 MiB.
const MOST: u64 = 4 << 20;

/// Bytes in one request over a line that took no more in time.
const LEAST: u64 = 256 << 10;

/// Most pieces in one request.
const PIECES: usize = 1_000;

/// How often quiet segments are closed and old ones deleted.
const EXPIRE: Duration = Duration::from_hours(1);

/// Opens the logs below a folder for shipping, before anything is written there; nothing if they have to stay.
#[must_use]
pub fn open(root: PathBuf) -> Option<Spool> {
    let opened = fs::read_to_string(BOOT_ID).and_then(|boot| Spool::open(root, boot.trim()));
    opened.inspect_err(|error| warn!(%error, "logs stay on this host")).ok()
}

/// Ships logs over these lines, each to one server, until it is told to stop.
pub async fn run(spool: Option<Spool>, links: Vec<Arc<Link>>, stop: CancellationToken) {
    let shipping = async {
        let Some(mut spool) = spool else { return std::future::pending().await };
        let mut most = MOST;
        let (mut server, mut failing, mut expire) = (0, false, Instant::now());
        loop {
            if expire.elapsed() >= EXPIRE {
                expire = Instant::now();
                let root = spool.root().to_owned();
                let _ = spawn_blocking(move || tidy(&root)).await;
            }
            let Some(link) = links.get(server % links.len().max(1)) else { return };
            let (back, sent) = turn(spool, link, most).await;
            spool = back;
            match sent {
                Ok(0) => sleep(LOOK).await,
                Ok(_) => {
                    most = (most * 2).min(MOST);
                    if std::mem::take(&mut failing) {
                        info!("logs are sent again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        warn!(error = format!("{error:#}"), "logs wait on this host");
                    }
                    // It may be that the line is too slow for so much.
                    most = (most / 2).max(LEAST);
                    server += 1;
                    spool.ask_again();
                    sleep(PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(shipping).await;
}

/// Sends what there is and returns how many pieces of it brought something new.
async fn turn(mut spool: Spool, link: &Link, most: u64) -> (Spool, anyhow::Result<usize>) {
    let (back, pieces) = spawn_blocking(move || {
        let pieces = spool.pieces(most);
        (spool, pieces)
    })
    .await
    .expect("reading logs does not panic, and nobody aborts it");
    spool = back;
    let pieces = match pieces {
        Ok(mut pieces) => {
            pieces.truncate(PIECES);
            pieces
        }
        Err(error) => return (spool, Err(error.into())),
    };
    if pieces.is_empty() {
        return (spool, Ok(0));
    }
    let taken = match send(link, &pieces).await {
        Ok(taken) => taken,
        Err(error) => return (spool, Err(error)),
    };
    let settled = spawn_blocking(move || {
        let settled = settle(&mut spool, &pieces, &taken);
        (spool, settled.map(|()| pieces.len()))
    });
    settled.await.expect("deleting files does not panic, and nobody aborts it")
}

async fn send(link: &Link, pieces: &[Piece]) -> anyhow::Result<Taken> {
    let mut chunks = Vec::with_capacity(pieces.len());
    for piece in pieces {
        // Other folders are nobody's log; they are left alone.
        let app = piece.stream.parse().context("a folder beside the logs that is none")?;
        let chunk = Chunk {
            app,
            lane: piece.lane.clone(),
            segment: piece.segment,
            offset: piece.offset,
            length: u32::try_from(piece.bytes.len())?,
            gone: piece.gone,
        };
        chunks.push((chunk, Bytes::copy_from_slice(&piece.bytes)));
    }
    let body = encode_chunks(&chunks)?;
    Ok(link.send("/agent/logs", "application/octet-stream", body, Duration::ZERO).await?)
}

fn settle(spool: &mut Spool, pieces: &[Piece], taken: &Taken) -> anyhow::Result<()> {
    anyhow::ensure!(taken.kept.len() == pieces.len(), "the server speaks of other pieces than it was sent");
    for (piece, kept) in pieces.iter().zip(&taken.kept) {
        match kept.no_app {
            true => spool.forget(&piece.stream)?,
            false => spool.settle(piece, kept.offset, kept.unwanted)?,
        }
    }
    Ok(())
}

/// Closes quiet segments and deletes old ones, as the server does with its own.
fn tidy(root: &std::path::Path) {
    let now = Timestamp::now();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir())
    {
        let tidied = LogDir::open(entry.path(), Bounds::default()).and_then(|log| log.expire(now));
        if let Err(error) = tidied {
            warn!(%error, "old lines of a log stay on this host");
        }
    }
}
