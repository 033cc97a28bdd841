//! What a tar archive says about an entry in records before it: names that do not fit into its header (GNU tar's, and
//! those of pax(1)). Everything else that such records say is left out.

use std::io::Read;

use tar::EntryType;

use crate::archive::ArchiveError;

/// Most bytes of one record; paths are far shorter.
pub(crate) const LONGEST_EXTENSION: u64 = 64 << 10;

/// What was said about the entry that comes next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    /// Its content is not what the file holds: only the parts that are no holes.
    pub(crate) sparse: bool,
}

impl Extension {
    /// Takes in an entry if it is such a record, and returns whether it is one.
    pub(crate) fn read(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<bool, ArchiveError> {
        match entry.header().entry_type() {
            EntryType::GNULongName => self.path = Some(name(content(entry)?)),
            EntryType::GNULongLink => self.link = Some(name(content(entry)?)),
            EntryType::XHeader => self.hear(&content(entry)?)?,
            // About all that follow: a comment of `git archive`, or what only matters to who unpacks.
            EntryType::XGlobalHeader => (),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes in the records of pax(1): `LENGTH KEY=VALUE`, each with a line feed that the length counts too.
    fn hear(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        while !records.is_empty() {
            let (record, rest) = first_record(records).ok_or(ArchiveError::NotWhole)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(ArchiveError::NotWhole)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value).ok_or(ArchiveError::NotWhole)?),
                _ => self.sparse |= key.starts_with(b"GNU.sparse."),
            }
            records = rest;
        }
        Ok(())
    }
}

fn content(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, ArchiveError> {
    let size = entry.size();
    if size > LONGEST_EXTENSION {
        return Err(ArchiveError::Extension);
    }
    let mut content = Vec::new();
    let read = entry.take(size).read_to_end(&mut content);
    if read.is_ok_and(|read| read as u64 == size) { Ok(content) } else { Err(ArchiveError::NotWhole) }
}

fn name(mut content: Vec<u8>) -> Vec<u8> {
    if let Some(end) = content.iter().position(|byte| *byte == 0) {
        content.truncate(end);
    }
    content
}

/// Returns the first record without its length, and what comes after it.
fn first_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&records[..space])?).ok()?;
    let (record, rest) = records.split_at_checked(length)?;
    Some((record.get(space + 1..)?.strip_suffix(b"\n")?, rest))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_told_apart_by_their_lengths() {
        let mut extension = Extension::default();
        let records = b"12 path=a\nb\n23 SCHILY.xattr.x=\n1 \xff\n15 linkpath=b\n9 size=7\n";
        assert!(extension.hear(records).is_err(), "one length is wrong");
        let records = b"12 path=a\nb\n23 SCHILY.xattr.x=\n1 \xff\n14 linkpath=b\n9 size=7\n";
        let mut extension = Extension::default();
        extension.hear(records).unwrap();
        let expected = Extension {
            path: Some(b"a\nb".to_vec()),
            link: Some(b"b".to_vec()),
            size: Some(7),
            sparse: false,
        };
        assert_eq!(extension, expected);
        extension.hear(b"22 GNU.sparse.major=1\n").unwrap();
        assert!(extension.sparse);
    }

    proptest! {
        #[test]
        fn no_record_makes_it_panic(records: Vec<u8>, length in 0_usize..40) {
            let _ = Extension::default().hear(&records);
            let _ = Extension::default().hear(format!("{length} path=x\n").as_bytes());
        }
    }
}
