//! A segment of a log that a writer wrote and a crash, a full disk or anybody damaged: what is shown is exactly the
//! records that are whole, in their order, to readers and followers, from any place.
#![no_main]

use std::fs;
use std::path::Path;
use std::time::Duration;

use arbitrary::Arbitrary;
use futures::StreamExt as _;
use libfuzzer_sys::fuzz_target;
use logs::{Bounds, LogDir, Origin, Position, Query, Source, Tailed};
use tokio::runtime::Runtime;

#[derive(Debug, Arbitrary)]
struct Log<'a> {
    steps: Vec<Step<'a>>,
    from: (u64, Offset),
    position: &'a str,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Offset {
    Near(u16),
    Any(u64),
}

/// Seven of them fit into one segment.
#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Line(&'a [u8]),
    Lines { count: u8, bytes: u16 },
    Raw(&'a [u8]),
    Cut(u16),
    Zeros { at: u16, bytes: u16 },
    Flip { at: u16, bits: u8 },
}

/// Where `web.1` writes to.
fn segment(dir: &Path) -> Option<std::path::PathBuf> {
    let entry = fs::read_dir(dir).ok()?.next()?;
    entry.ok().map(|entry| entry.path())
}

fn damage(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let Some(path) = segment(dir) else { return };
    let mut bytes = fs::read(&path).expect("the segment is there");
    change(&mut bytes);
    fs::write(&path, bytes).expect("the segment is ours");
}

fn carry_out(step: &Step<'_>, log: &LogDir, dir: &Path) {
    let origin = Origin::new(Source::App, "web.1", Some(7));
    let place = |bytes: &[u8], at: u16| usize::from(at) % bytes.len().max(1);
    match *step {
        Step::Line(text) => log.writer().append(&origin, text),
        Step::Lines { count, bytes } => {
            let writer = log.writer();
            (0..count.min(40))
                .for_each(|n| writer.append(&origin, vec![b'a' + n % 26; usize::from(bytes % 3_000)]));
        }
        Step::Raw(raw) => damage(dir, |bytes| bytes.extend(raw)),
        Step::Cut(at) => damage(dir, |bytes| bytes.truncate(place(bytes, at))),
        Step::Zeros { at, bytes: count } => damage(dir, |bytes| {
            let at = place(bytes, at);
            bytes.iter_mut().skip(at).take(usize::from(count)).for_each(|byte| *byte = 0);
        }),
        Step::Flip { at, bits } => damage(dir, |bytes| {
            let at = place(bytes, at);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
        }),
    }
}

/// The form of a record, written down a second time: `TIME SOURCE[PROCESS][ vN] SUM: TEXT`.
fn whole(line: &[u8]) -> Option<String> {
    let colon = line.iter().skip_while(|byte| **byte != b']').position(|byte| *byte == b':')?;
    let colon = colon + line.iter().position(|byte| *byte == b']')?;
    let (head, text) = (&line[..colon], line[colon + 1..].strip_prefix(b" ")?);
    let (origin, sum) = head.split_at(head.len().checked_sub(8)?);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(origin);
    hasher.update(text);
    (format!("{:08x}", hasher.finalize()).as_bytes() == sum)
        .then(|| String::from_utf8_lossy(text).into_owned())
}

fn expected(dir: &Path) -> Vec<String> {
    let bytes = segment(dir).map(|path| fs::read(path).expect("the segment is there")).unwrap_or_default();
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    bytes[..end].split(|byte| *byte == b'\n').filter_map(whole).collect()
}

/// Returns what a follower is shown from a place on up to a last line, which is there.
fn followed(log: &LogDir, from: Position, last: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime: Runtime = runtime.expect("the system gives a runtime");
    runtime.block_on(async {
        let (mut tail, mut texts) = (log.tail(Query::default(), from), Vec::new());
        while texts.last().is_none_or(|text| text != last) {
            let next = tokio::time::timeout(Duration::from_secs(5), tail.next()).await;
            match next.expect("the last line comes").expect("a tail goes on") {
                Tailed::Line(line) => texts.push(line.text),
                Tailed::Skipped(_) => {}
            }
        }
        texts
    })
}

fuzz_target!(|given: Log<'_>| {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is room");
    let log = LogDir::open(dir.path(), Bounds::default()).expect("the folder is ours");
    given.steps.iter().take(7).for_each(|step| carry_out(step, &log, dir.path()));

    let shown = log.read(&Query::default()).expect("a damaged log is read");
    let texts: Vec<_> = shown.lines.into_iter().map(|line| line.text).collect();
    assert_eq!(texts, expected(dir.path()));
    assert_eq!(log.end().expect("it has an end"), shown.end);
    check_followers(&given, &log, dir.path());
});

fn check_followers(given: &Log<'_>, log: &LogDir, dir: &Path) {
    let before = segment(dir).map_or(0, |path| fs::metadata(path).expect("the segment is there").len());
    let last = "the last line, which nobody has written before";
    carry_out(&Step::Line(last.as_bytes()), log, dir);
    assert_eq!(followed(log, Position::START, last), expected(dir));

    let path = segment(dir).expect("something was written");
    let after = fs::metadata(&path).expect("the segment is there").len();
    let lane = path.file_name().and_then(|name| name.to_str()?.split('.').next()).expect("it has a name");
    let (number, offset) = given.from;
    let offset = match offset {
        Offset::Near(offset) => offset.into(),
        Offset::Any(offset) => offset,
    };
    // What a client says of where it was is not trusted, and the end of a segment may have been lost since.
    let number = if number % 2 == 0 { 1 } else { number };
    let from = format!("0,{lane}:{number}:{offset}").parse::<Position>();
    assert_eq!(from.is_ok(), i64::try_from(offset).is_ok(), "no file is longer");
    if let Ok(from) = from
        && (offset <= before || offset > after)
    {
        let shown = followed(log, from, last);
        assert!(expected(dir).ends_with(&shown));
    }
    if let Ok(position) = given.position.parse::<Position>() {
        assert_eq!(position.to_string().parse(), Ok(position));
    }
}
