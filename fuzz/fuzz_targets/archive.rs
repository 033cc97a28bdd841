//! An uploaded tar.gz of any bytes: what git is told of it is the language of git-fast-import(1), one file or link a
//! command, at a path that stays inside and is none of git's own.
#![no_main]

use std::io::Write as _;
use std::time::Duration;

use arbitrary::Arbitrary;
use flate2::Compression;
use flate2::write::GzEncoder;
use git::ImportLimits;
use git::fuzzing::imported;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Upload<'a> {
    Bytes(&'a [u8]),
    Tar(&'a [u8]),
    Entries(Vec<Entry<'a>>),
}

/// An entry with a header whose sum is right, which mutation alone hardly finds.
#[derive(Debug, Arbitrary)]
struct Entry<'a> {
    kind: Kind,
    path: &'a [u8],
    link: &'a [u8],
    content: &'a [u8],
    claims: Option<u32>,
    mode: u16,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Kind {
    File,
    OldFile,
    Link,
    Directory,
    LongName,
    LongLink,
    Pax,
    PaxPath,
    Any(u8),
}

impl Kind {
    fn flag(self) -> u8 {
        match self {
            Self::File => b'0',
            Self::OldFile => 0,
            Self::Link => b'2',
            Self::Directory => b'5',
            Self::LongName => b'L',
            Self::LongLink => b'K',
            Self::Pax | Self::PaxPath => b'x',
            Self::Any(flag) => flag,
        }
    }
}

fn put(entry: &Entry<'_>, tar: &mut Vec<u8>) {
    let content = match entry.kind {
        Kind::PaxPath => {
            // The length of a record counts its own digits.
            let bytes = entry.path.len() + b" path=\n".len();
            let length = (bytes..).find(|length| *length == bytes + length.to_string().len());
            let length = length.expect("there is one").to_string();
            [length.as_bytes(), b" path=", entry.path, b"\n"].concat()
        }
        _ => entry.content.to_vec(),
    };
    let mut header = [0; 512];
    let mut field = |at: usize, most: usize, value: &[u8]| {
        let length = value.len().min(most);
        header[at..at + length].copy_from_slice(&value[..length]);
    };
    let size = entry.claims.map_or(content.len() as u64, u64::from);
    field(0, 100, entry.path);
    field(100, 8, format!("{:07o}", entry.mode).as_bytes());
    field(124, 12, format!("{size:011o}").as_bytes());
    field(148, 8, b"        ");
    field(156, 1, &[entry.kind.flag()]);
    field(157, 100, entry.link);
    field(257, 8, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(&content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it")
}

fn tar_gz(upload: &Upload<'_>) -> Vec<u8> {
    match upload {
        Upload::Bytes(bytes) => bytes.to_vec(),
        Upload::Tar(bytes) => gzip(bytes),
        Upload::Entries(entries) => {
            let mut tar = Vec::new();
            entries.iter().take(50).for_each(|entry| put(entry, &mut tar));
            tar.extend([0; 1024]);
            gzip(&tar)
        }
    }
}

/// Reads one command as git does, and returns the path and what follows the command.
fn command(told: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let modes: [&[u8]; 3] = [b"M 100644 inline \"", b"M 100755 inline \"", b"M 120000 inline \""];
    let mut rest = modes.into_iter().find_map(|mode| told.strip_prefix(mode))?;
    let mut path = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => break,
            b'\n' => return None,
            b'\\' => {
                let (escaped, after) = rest.split_first()?;
                rest = after;
                path.push(if *escaped == b'n' { b'\n' } else { *escaped });
            }
            byte => path.push(*byte),
        }
    }
    rest = rest.strip_prefix(b"\ndata ")?;
    let line = rest.iter().position(|byte| *byte == b'\n')?;
    let length: usize = std::str::from_utf8(&rest[..line]).ok()?.parse().ok()?;
    Some((path, rest[line + 1..].get(length..)?.strip_prefix(b"\n")?))
}

fuzz_target!(|upload: Upload<'_>| {
    let limits = ImportLimits { entries: 30, bytes: 1 << 20, time: Duration::from_secs(1) };
    let Ok(told) = imported(&tar_gz(&upload)[..], &limits) else { return };
    assert!(told.len() <= 30);
    for (path, words) in told {
        assert_eq!(command(&words), Some((path.clone(), &b""[..])), "{:?}", String::from_utf8_lossy(&words));
        assert!(path.len() <= 4_096 && !path.contains(&0));
        for name in path.split(|byte| *byte == b'/') {
            let lower = name.to_ascii_lowercase();
            assert!(!matches!(name, b"" | b"." | b"..") && name.len() <= 255, "{name:?}");
            assert!(lower != b".git" && lower != b"git~1", "{name:?} is git's own");
        }
    }
});
