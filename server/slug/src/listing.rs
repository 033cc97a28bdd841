//! Reads what an image claims to hold before any of it is written, and refuses what no slug holds.

use std::{
    io::{self, BufRead},
    path::Path,
};

use crate::{SlugError, UnpackLimits};

/// What `unsquashfs` puts before every name.
const ROOT: &[u8] = b"squashfs-root";

/// Reads the output of `unsquashfs -lln`.
///
/// Fails for names that lead out, for anything but files, directories and links, for special
/// permissions, and beyond the limits.
pub(crate) fn inspect(listing: impl BufRead, limits: &UnpackLimits) -> Result<(), SlugError> {
    let (mut entries, mut bytes) = (0u64, 0u64);
    for line in listing.split(b'\n') {
        let line = line.map_err(|error: io::Error| SlugError::file("read", "the list of files")(error))?;
        bytes = bytes.saturating_add(size(&line).map_err(SlugError::Refused)?);
        entries += 1;
        if entries > limits.entries {
            return Err(SlugError::TooMany(limits.entries));
        }
        if bytes > limits.bytes {
            return Err(SlugError::TooLarge { bytes: None, limit: limits.bytes, largest: Vec::new() });
        }
    }
    Ok(())
}

/// Returns the size of the file that a line is about, or why it is refused.
///
/// A line is `-rw-r--r-- 0/0  SIZE 1980-01-01 00:00 squashfs-root/NAME`, for a link with ` -> TARGET`.
/// Where a link leads is the program's business: nothing follows it here.
fn size(line: &[u8]) -> Result<u64, String> {
    let shown = || String::from_utf8_lossy(line).into_owned();
    let (fields, mut name) = fields(line).ok_or_else(|| format!("`{}` is not a file's entry", shown()))?;
    let mode = fields[0];
    match mode.first() {
        Some(b'-' | b'd') => {}
        Some(b'l') => {
            let arrow = name.windows(4).position(|four| four == b" -> ");
            name = &name[..arrow.unwrap_or(name.len())];
        }
        _ => return Err(format!("`{}` is neither file, directory nor link", shown())),
    }
    if mode.iter().any(|letter| b"sStT".contains(letter)) {
        return Err(format!("`{}` has special permissions", shown()));
    }
    let inside = name.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    if !inside || name.split(|byte| *byte == b'/').any(|part| part == b"..") {
        return Err(format!("`{}` leads out of the slug", shown()));
    }
    if mode.first() != Some(&b'-') {
        return Ok(0);
    }
    let digits = std::str::from_utf8(fields[2]).ok().and_then(|digits| digits.parse().ok());
    digits.ok_or_else(|| format!("`{}` has no size", shown()))
}

/// Splits off the five fields before the name.
fn fields(line: &[u8]) -> Option<([&[u8]; 5], &[u8])> {
    let mut rest = line;
    let mut fields = [&line[..0]; 5];
    for field in &mut fields {
        rest = &rest[rest.iter().position(|byte| *byte != b' ')?..];
        let end = rest.iter().position(|byte| *byte == b' ')?;
        (*field, rest) = rest.split_at(end);
    }
    Some((fields, rest.strip_prefix(b" ")?))
}

/// Whether a directory holds nothing.
pub(crate) fn is_empty(directory: &Path) -> io::Result<bool> {
    Ok(std::fs::read_dir(directory)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(lines: &str) -> Result<(), String> {
        let limits = UnpackLimits { bytes: 1000, entries: 3, within: Duration::from_secs(1) };
        inspect(lines.as_bytes(), &limits).map_err(|error| error.to_string())
    }

    #[test]
    fn files_directories_and_links_of_any_name_pass() {
        let lines = "drwxr-xr-x 0/0    63 1980-01-01 00:00 squashfs-root\n\
                     -rwxr-xr-x 0/0   999 1980-01-01 00:00 squashfs-root/ü  x -> ..\n\
                     lrwxrwxrwx 0/0    11 1980-01-01 00:00 squashfs-root/l -> ../../etc/passwd\n";
        check(lines).unwrap();
    }

    #[test]
    fn what_leads_out_or_is_special_is_refused_with_its_line() {
        let refused = [
            ("-rw-r--r-- 0/0 1 1980-01-01 00:00 squashfs-root/../x", "leads out"),
            ("-rw-r--r-- 0/0 1 1980-01-01 00:00 squashfs-rootx/y", "leads out"),
            ("drwxr-xr-x 0/0 1 1980-01-01 00:00 squashfs-root/a/..", "leads out"),
            ("crw-r--r-- 0/0 1,  3 1980-01-01 00:00 squashfs-root/null", "neither file"),
            ("prw-r--r-- 0/0 0 1980-01-01 00:00 squashfs-root/p", "neither file"),
            ("-rwsr-xr-x 0/0 1 1980-01-01 00:00 squashfs-root/su", "special permissions"),
            ("rest of a name", "not a file's entry"),
        ];
        for (line, reason) in refused {
            let error = check(line).unwrap_err();
            assert!(error.contains(reason) && error.contains(line), "{error}");
        }
    }

    #[test]
    fn too_much_or_too_many_is_refused() {
        let file = |size: u64| format!("-rw-r--r-- 0/0 {size} 1980-01-01 00:00 squashfs-root/f\n");
        check(&file(500).repeat(2)).unwrap();
        assert!(check(&file(501).repeat(2)).is_err());
        assert!(check(&file(u64::MAX).repeat(2)).is_err());
        assert!(check(&file(1).repeat(4)).unwrap_err().contains("more than 3 files"));
    }
}
