//! The beginning of a push, before its pack: which reference is to go where, what the client understands, and the push
//! options. Reading only; it is bounded, and takes the bytes as they come.

use bytes::{Bytes, BytesMut};

use super::report::Terms;
use crate::pkt::{self, Pkt};
use crate::terminal::clean_line;
use crate::{ObjectId, RefUpdate};

/// References that one push may name.
const MOST_UPDATES: usize = 5_000;
/// Commits at which a client's history may end early.
const MOST_SHALLOW: usize = 100_000;
/// Push options; each is at most a line.
const MOST_OPTIONS: usize = 100;
/// Bytes of a name: a file system takes no longer path.
const LONGEST_NAME: usize = 4096;

/// Why the beginning of a push is not one. The words are for the person who pushes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("what was sent is not the beginning of a push")]
    NotOne,
    #[error("line {0} of the push is not `old new name`")]
    Line(usize),
    #[error("a push may change at most {MOST_UPDATES} references at once; push fewer, branch by branch")]
    TooMany,
    #[error("a push may have at most {MOST_OPTIONS} options")]
    TooManyOptions,
    #[error(
        "the client's history ends early at more than {MOST_SHALLOW} places; git fetch --unshallow mends that"
    )]
    TooShallow,
}

/// The beginning of a push.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// What is asked for, in this order.
    pub(crate) updates: Vec<RefUpdate>,
    /// Where the client's history ends early.
    pub(crate) shallow: Vec<ObjectId>,
    /// What came with `git push -o`; not trusted.
    pub(crate) options: Vec<String>,
    /// All or nothing.
    pub(crate) atomic: bool,
    /// How the client wants to be answered.
    pub(crate) terms: Terms,
    expects_options: bool,
}

/// Reads a head from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) head: Head,
    buffer: BytesMut,
    in_options: bool,
}

impl Reader {
    /// Takes the next bytes; returns what follows the head once it is complete.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Option<Bytes>, HeadError> {
        self.buffer.extend_from_slice(bytes);
        loop {
            let Some((pkt, rest)) = pkt::split(&self.buffer).map_err(|_| HeadError::NotOne)? else {
                return Ok(None);
            };
            let length = self.buffer.len() - rest.len();
            let complete = match pkt {
                Pkt::Data(line) => {
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    if self.in_options {
                        self.head.take_option(line)?
                    } else {
                        self.head.take_line(line)?
                    }
                    false
                }
                Pkt::Flush if self.head.expects_options && !self.in_options => {
                    self.in_options = true;
                    false
                }
                Pkt::Flush => true,
            };
            let _ = self.buffer.split_to(length);
            if complete {
                return Ok(Some(std::mem::take(&mut self.buffer).freeze()));
            }
        }
    }
}

impl Head {
    fn take_option(&mut self, option: &[u8]) -> Result<(), HeadError> {
        if self.options.len() == MOST_OPTIONS {
            return Err(HeadError::TooManyOptions);
        }
        self.options.push(String::from_utf8_lossy(option).into_owned());
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), HeadError> {
        let number = self.updates.len() + self.shallow.len() + 1;
        if let Some(end) = line.strip_prefix(b"shallow ") {
            if self.shallow.len() == MOST_SHALLOW {
                return Err(HeadError::TooShallow);
            }
            self.shallow.push(object_id(end).ok_or(HeadError::Line(number))?);
            return Ok(());
        }
        let mut halves = line.splitn(2, |&byte| byte == 0);
        let command = halves.next().unwrap_or_default();
        if self.updates.is_empty() {
            self.take_capabilities(halves.next().unwrap_or_default());
        }
        let update = update(command).ok_or(HeadError::Line(number))?;
        if self.updates.len() == MOST_UPDATES {
            return Err(HeadError::TooMany);
        }
        self.updates.push(update);
        Ok(())
    }

    fn take_capabilities(&mut self, capabilities: &[u8]) {
        for word in capabilities.split(|&byte| byte == b' ') {
            match word {
                b"atomic" => self.atomic = true,
                b"push-options" => self.expects_options = true,
                word => self.terms.take(word),
            }
        }
    }
}

/// A name that is no text, or would do something to a terminal, becomes one that no reference can have.
fn update(command: &[u8]) -> Option<RefUpdate> {
    let mut parts = command.splitn(3, |&byte| byte == b' ');
    let (old, new) = (object_id(parts.next()?)?, object_id(parts.next()?)?);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let name = match std::str::from_utf8(name) {
        Ok(text) if name.len() <= LONGEST_NAME && !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("? {}", clean_line(name, 200)),
    };
    let present = |id: ObjectId| (!id.is_zero()).then_some(id);
    Some(RefUpdate { old: present(old), new: present(new), name })
}

fn object_id(text: &[u8]) -> Option<ObjectId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "04bacd0d534f8e33dad78a189e20378b56a90de9";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn head(lines: &[&str], options: &[&str]) -> Vec<u8> {
        let mut head = Vec::new();
        lines.iter().for_each(|line| pkt::put(&mut head, line.as_bytes()));
        head.extend_from_slice(pkt::FLUSH);
        options.iter().for_each(|option| pkt::put(&mut head, option.as_bytes()));
        if !options.is_empty() {
            head.extend_from_slice(pkt::FLUSH);
        }
        head
    }

    #[test]
    fn a_head_is_read_in_pieces_of_any_size_and_the_pack_is_left() {
        let first =
            format!("{ZERO} {A} refs/heads/main\0 report-status-v2 side-band-64k atomic push-options");
        let second = format!("{A} {ZERO} refs/tags/v1\n");
        let mut wire = head(&[&format!("shallow {A}"), &first, &second], &["clear-cache", ""]);
        wire.extend_from_slice(b"PACK");
        for size in 1..wire.len() {
            let mut reader = Reader::default();
            let mut rest = None;
            let mut left = wire.chunks(size);
            while rest.is_none() {
                rest = reader.take(left.next().unwrap()).unwrap();
            }
            let rest = [rest.unwrap().to_vec(), left.collect::<Vec<_>>().concat()].concat();
            assert_eq!(rest, b"PACK");
            let Head { updates, shallow, options, atomic, .. } = reader.head;
            assert_eq!((updates.len(), shallow.len(), atomic), (2, 1, true));
            assert_eq!((updates[0].old, updates[0].branch()), (None, Some("main")));
            assert_eq!((updates[1].new, updates[1].name.as_str()), (None, "refs/tags/v1"));
            assert_eq!(options, ["clear-cache", ""]);
        }
    }

    #[test]
    fn what_is_no_push_or_too_much_of_one_is_told_apart() {
        let read = |wire: &[u8]| Reader::default().take(wire).unwrap_err();
        assert_eq!(read(b"GET / HTTP/1.1"), HeadError::NotOne);
        assert_eq!(read(&head(&["x y z"], &[])), HeadError::Line(1));
        assert_eq!(read(&head(&[&format!("{A} {A}")], &[])), HeadError::Line(1));
        let line = format!("{A} {A} refs/heads/x");
        assert_eq!(read(&head(&vec![line.as_str(); MOST_UPDATES + 1], &[])), HeadError::TooMany);
        let with_options = format!("{line}\0push-options");
        let wire = head(&[&with_options], &["x"; MOST_OPTIONS + 1]);
        assert_eq!(read(&wire), HeadError::TooManyOptions);
    }

    #[test]
    fn a_name_that_could_harm_a_terminal_cannot_be_a_reference() {
        let mut reader = Reader::default();
        reader.take(&head(&[&format!("{A} {A} refs/heads/a\x1b[1m")], &[])).unwrap();
        assert!(!git2::Reference::is_valid_name(&reader.head.updates[0].name));
        assert!(!reader.head.updates[0].name.contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, line in "[0-9a-f ]{0,90}.{0,20}") {
            let _ = Reader::default().take(&bytes);
            let _ = Reader::default().take(&head(&[&line], &[]));
        }
    }
}
