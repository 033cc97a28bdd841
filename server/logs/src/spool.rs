//! The logs of a host that are only on their way: pieces to be sent, in order, and what was sent is deleted. Where it is
//! kept how much was sent is known by who receives it, so that nothing has to be remembered here.
//!
//! When a stream is over its bounds before it was sent, writers delete its oldest segments as always; here they leave
//! beside each a note of how many lines it had, and who receives tells how many of those never came.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lane::Lane;
use crate::record::Record;
use crate::segment::{self, Segment};

/// The file that says that the streams beside it are on their way, and since which start of the machine.
const MARK: &str = "spooled";

/// How far ahead a lane goes on after its machine went down: farther than it can have come with segments that never reached the
/// disk, though their bytes were sent.
const AHEAD: u64 = 1 << 20;

/// How the name of a note ends.
const NOTE: &str = "gone";

/// Bytes of one piece.
const PIECE: u64 = 256 << 10;

/// Counts notes, so that no two writers of this process write one file.
static ASIDE: AtomicU64 = AtomicU64::new(0);

/// A piece of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The folder of its stream.
    pub stream: String,
    /// Its lane.
    pub lane: String,
    /// The number of the segment.
    pub segment: u64,
    /// Where in it the bytes begin.
    pub offset: u64,
    /// The bytes; none, to ask how much is known.
    pub bytes: Vec<u8>,
    /// The segment had so many lines and is deleted.
    pub gone: Option<u64>,
}

/// Where the next bytes of a lane begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Next {
    segment: u64,
    /// Not known until it was asked for.
    offset: Option<u64>,
}

/// The logs of a host, below one folder.
#[derive(Debug)]
pub struct Spool {
    root: PathBuf,
    next: BTreeMap<(String, Lane), Next>,
    /// Counts turns: in each another stream, and another lane, is the first.
    turn: usize,
}

impl Spool {
    /// Opens the spool and marks it as one. `boot` names this start of the machine: what was written before another one may have
    /// been sent and not have reached the disk, so that lanes go on elsewhere. Nothing may write meanwhile that was not there
    /// before.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn open(root: PathBuf, boot: &str) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        let mark = root.join(MARK);
        let before = fs::read_to_string(&mark).ok().filter(|before| !before.is_empty());
        if before.is_some_and(|before| before != boot) {
            for stream in streams(&root)? {
                go_ahead(&root.join(stream))?;
            }
        }
        fs::write(mark, boot)?;
        Ok(Self { root, next: BTreeMap::new(), turn: 0 })
    }

    /// Returns the folder that the streams are in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns what is to be sent next of each lane, up to so many bytes in all, and at least a piece. Blocks on the disk.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn pieces(&mut self, most: u64) -> io::Result<Vec<Piece>> {
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        let mut streams = streams(&self.root)?;
        self.turn = self.turn.wrapping_add(1);
        rotate(&mut streams, self.turn);
        for stream in streams {
            for piece in self.of_stream(&stream)? {
                bytes += piece.bytes.len() as u64;
                if bytes > most && !pieces.is_empty() {
                    return Ok(pieces);
                }
                pieces.push(piece);
            }
        }
        Ok(pieces)
    }

    /// Takes note of how much of a piece's segment is known, and deletes what is no longer needed.
    ///
    /// # Errors
    /// Something cannot be deleted.
    pub fn settle(&mut self, piece: &Piece, offset: u64, unwanted: bool) -> io::Result<()> {
        let Ok(lane) = piece.lane.parse::<Lane>() else { return Ok(()) };
        let (dir, key) = (self.root.join(&piece.stream), (piece.stream.clone(), lane));
        let segment = Segment { lane, number: piece.segment };
        if piece.gone.is_some() {
            segment.delete(&dir)?;
            return if_there(fs::remove_file(note(&dir, segment)));
        }
        if !unwanted {
            self.next.insert(key, Next { segment: piece.segment, offset: Some(offset) });
            return Ok(());
        }
        match following(&dir, segment)? {
            Some(number) => {
                segment.delete(&dir)?;
                self.next.insert(key, Next { segment: number, offset: None });
            }
            // The one that is written to stays; who receives has seen more of this lane than there is.
            None => drop(self.next.insert(key, Next { segment: piece.segment, offset: Some(u64::MAX) })),
        }
        Ok(())
    }

    /// Deletes a stream that nobody wants.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn forget(&mut self, stream: &str) -> io::Result<()> {
        self.next.retain(|(known, _), _| known != stream);
        if stream.contains(['/', '.']) {
            return Ok(());
        }
        if_there(fs::remove_dir_all(self.root.join(stream)))
    }

    /// Asks anew how much is known: who receives may be another one now.
    pub fn ask_again(&mut self) {
        self.next.clear();
    }

    fn of_stream(&mut self, stream: &str) -> io::Result<Vec<Piece>> {
        let dir = self.root.join(stream);
        let mut pieces = notes(&dir, stream)?;
        // In the order of the segments: what was given up comes before what follows it.
        let given_up: Vec<(String, u64)> =
            pieces.iter().map(|piece| (piece.lane.clone(), piece.segment)).collect();
        let mut lanes: Vec<(Lane, Vec<u64>)> = segment::list(&dir)?.into_iter().collect();
        rotate(&mut lanes, self.turn);
        for (lane, numbers) in lanes {
            let name = lane.to_string();
            if lane.is_copied() || given_up.iter().any(|(lane, _)| *lane == name) {
                continue;
            }
            pieces.extend(self.of_lane(stream, &dir, (lane, &numbers))?);
        }
        Ok(pieces)
    }

    fn of_lane(
        &mut self,
        stream: &str,
        dir: &Path,
        (lane, numbers): (Lane, &[u64]),
    ) -> io::Result<Option<Piece>> {
        let key = (stream.to_owned(), lane);
        let known = self.next.get(&key).copied().filter(|next| numbers.contains(&next.segment));
        let Some(&first) = numbers.first() else { return Ok(None) };
        let next = known.unwrap_or(Next { segment: first, offset: None });
        let piece = |offset, bytes| Piece {
            stream: stream.to_owned(),
            lane: lane.to_string(),
            segment: next.segment,
            offset,
            bytes,
            gone: None,
        };
        let Some(offset) = next.offset else { return Ok(Some(piece(0, Vec::new()))) };
        let segment = Segment { lane, number: next.segment };
        let Some(file) = segment.open(dir)? else { return Ok(None) };
        // Asked before reading: what is final now has nothing to read later.
        let is_final = segment::is_sealed(&file.metadata()?) && segment::is_final(&file)?;
        let length = file.metadata()?.len();
        if offset < length {
            let mut bytes = vec![0; usize::try_from((length - offset).min(PIECE)).unwrap_or(0)];
            file.read_exact_at(&mut bytes, offset)?;
            return Ok(Some(piece(offset, bytes)));
        }
        match following(dir, segment)? {
            Some(number) if is_final => {
                segment.delete(dir)?;
                self.next.insert(key, Next { segment: number, offset: None });
                self.of_lane(stream, dir, (lane, &numbers[1..]))
            }
            // Its writer died before it could seal it.
            Some(_) if !segment::is_sealed(&file.metadata()?) => {
                segment::seal(&file)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// Returns the folders of the streams.
fn streams(root: &Path) -> io::Result<Vec<String>> {
    let folders =
        fs::read_dir(root)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(folders.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn rotate<T>(list: &mut [T], by: usize) {
    if !list.is_empty() {
        list.rotate_left(by % list.len());
    }
}

/// Has each lane of a stream go on in a segment of which nobody has heard.
fn go_ahead(dir: &Path) -> io::Result<()> {
    for (lane, numbers) in segment::list(dir)? {
        let Some(number) = numbers.last().filter(|_| !lane.is_copied()) else { continue };
        Segment { lane, number: number + AHEAD }.create(dir)?;
        // Or the next power loss takes its name, and the one after it begins there again.
        fs::File::open(dir)?.sync_all()?;
        if let Some(file) = (Segment { lane, number: *number }).open(dir)? {
            segment::seal(&file)?;
        }
    }
    Ok(())
}

/// Returns the segment after one in its lane.
fn following(dir: &Path, segment: Segment) -> io::Result<Option<u64>> {
    Ok(segment::numbers(dir, segment.lane)?.into_iter().find(|number| *number > segment.number))
}

/// Returns whether a stream is only on its way.
pub(crate) fn is_spooled(dir: &Path) -> bool {
    dir.parent().is_some_and(|root| root.join(MARK).exists())
}

/// Notes how many lines a segment has, before it is deleted. Several may be at it; who finds it gone leaves the others' note.
pub(crate) fn count_unsent(dir: &Path, segment: Segment) -> io::Result<()> {
    let path = segment.path(dir);
    let lines = lines_of(&path)?;
    if !path.exists() {
        return Ok(());
    }
    let note = note(dir, segment);
    let number = ASIDE.fetch_add(1, Ordering::Relaxed);
    let aside = note.with_extension(format!("counting-{}-{number}", std::process::id()));
    fs::write(&aside, lines.to_string())?;
    fs::rename(&aside, &note)
}

fn note(dir: &Path, segment: Segment) -> PathBuf {
    segment.path(dir).with_extension(NOTE)
}

fn notes(dir: &Path, stream: &str) -> io::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for entry in fs::read_dir(dir)?.flatten() {
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(&format!(".{NOTE}"))) else {
            continue;
        };
        let Some(Segment { lane, number }) = Segment::parse(&format!("{stem}.log")) else { continue };
        let lines = fs::read_to_string(entry.path())?.trim().parse().unwrap_or(0);
        let (stream, lane) = (stream.to_owned(), lane.to_string());
        pieces.push(Piece { stream, lane, segment: number, offset: 0, bytes: Vec::new(), gone: Some(lines) });
    }
    pieces.sort_by(|a, b| (&a.lane, a.segment).cmp(&(&b.lane, b.segment)));
    Ok(pieces)
}

/// Returns how many lines a segment has; none if it is not there.
pub(crate) fn lines_of(path: &Path) -> io::Result<u64> {
    let mut bytes = Vec::new();
    match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file?.read_to_end(&mut bytes)?,
    };
    Ok(bytes.split(|byte| *byte == b'\n').filter(|line| Record::parse(line).is_some()).count() as u64)
}

fn if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
