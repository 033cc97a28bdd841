//! What is mounted, as the kernel tells it.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use crate::SlugError;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Where.
    pub point: PathBuf,
    /// The type of the file system, such as `squashfs` or `overlay`.
    pub kind: String,
}

/// Returns everything mounted at or below a directory, the deepest first: the order to unmount in.
pub fn mounted(below: &Path) -> Result<Vec<Mounted>, SlugError> {
    let file = "/proc/self/mountinfo";
    let text = fs::read(file).map_err(SlugError::file("read", file))?;
    let mut mounts = parse(&text);
    mounts.retain(|mount| mount.point.starts_with(below));
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.point.components().count()));
    Ok(mounts)
}

/// Reads `proc_pid_mountinfo(5)`.
fn parse(text: &[u8]) -> Vec<Mounted> {
    let mount = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = unescape(fields.nth(4)?);
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        Some(Mounted { point, kind: String::from_utf8_lossy(kind).into_owned() })
    };
    text.split(|byte| *byte == b'\n').filter_map(mount).collect()
}

/// Spaces, tabs, line breaks and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten().and_then(|digits| {
            digits.iter().try_fold(0u8, |sum, digit| {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
                sum.checked_mul(8)?.checked_add(digit)
            })
        });
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_fields_and_escaped_names_are_read() {
        let text =
            b"36 35 98:0 / /a\\040b\\134c rw,noatime shared:1 master:2 - overlay o rw,errors=continue\n\
                     37 35 98:1 / /d rw - squashfs /dev/loop0 ro\n";
        let expected = [("/a b\\c", "overlay"), ("/d", "squashfs")]
            .map(|(point, kind)| Mounted { point: point.into(), kind: kind.into() });
        assert_eq!(parse(text), expected);
    }
}
