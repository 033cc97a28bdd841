//! What a push asks for: which reference moves from where to where, as git hands it to its hook. Parsing only.

use serde::{Deserialize, Serialize};

use crate::ObjectId;

/// References that one push may name; more is refused before anything is judged.
pub(crate) const MOST_UPDATES: usize = 5_000;

/// One reference that a push creates (`old` is none), moves or deletes (`new` is none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefUpdate {
    /// Where it is now; none where it is new.
    pub old: Option<ObjectId>,
    /// Where it goes; none where it is deleted.
    pub new: Option<ObjectId>,
    /// Its full name, `refs/heads/main`.
    pub name: String,
}

impl RefUpdate {
    /// Returns the branch's name when this is a branch.
    pub fn branch(&self) -> Option<&str> {
        self.name.strip_prefix("refs/heads/")
    }
}

/// Why the lines of a hook could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// Not `old new name`.
    #[error("line {0} of the push is not `old new name`")]
    Line(usize),
    /// A name that is not UTF-8 or holds control characters.
    #[error("the reference in line {0} of the push has a name that is not printable UTF-8")]
    Name(usize),
    /// Over the bound.
    #[error("a push may change at most {MOST_UPDATES} references at once; push fewer, branch by branch")]
    TooMany,
}

/// Parses what `pre-receive` reads: one `old SP new SP name LF` per reference (githooks(5)).
pub fn parse_updates(lines: &[u8]) -> Result<Vec<RefUpdate>, UpdateError> {
    let mut updates = Vec::new();
    for (at, line) in lines.split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        if updates.len() == MOST_UPDATES {
            return Err(UpdateError::TooMany);
        }
        updates.push(parse_update(line, at + 1)?);
    }
    Ok(updates)
}

fn parse_update(line: &[u8], number: usize) -> Result<RefUpdate, UpdateError> {
    let wrong = || UpdateError::Line(number);
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let mut id = || {
        let part = parts.next().and_then(|part| std::str::from_utf8(part).ok()).ok_or_else(wrong)?;
        let id: ObjectId = part.parse().map_err(|_| wrong())?;
        Ok((!id.is_zero()).then_some(id))
    };
    let (old, new) = (id()?, id()?);
    let name = parts.next().filter(|name| !name.is_empty()).ok_or_else(wrong)?;
    let name = std::str::from_utf8(name).map_err(|_| UpdateError::Name(number))?;
    if name.chars().any(char::is_control) {
        return Err(UpdateError::Name(number));
    }
    Ok(RefUpdate { old, new, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "04bacd0d534f8e33dad78a189e20378b56a90de9";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn creation_and_deletion_are_told_apart() {
        let lines = format!("{ZERO} {A} refs/heads/main\n{A} {ZERO} refs/tags/v 1\n");
        let updates = parse_updates(lines.as_bytes()).unwrap();
        assert_eq!(
            (updates[0].old, updates[0].new.is_some(), updates[0].branch()),
            (None, true, Some("main"))
        );
        assert_eq!(
            (updates[1].new, updates[1].branch(), updates[1].name.as_str()),
            (None, None, "refs/tags/v 1")
        );
    }

    #[test]
    fn broken_lines_are_named() {
        assert_eq!(parse_updates(b"x y z"), Err(UpdateError::Line(1)));
        assert_eq!(parse_updates(format!("{A} {A}").as_bytes()), Err(UpdateError::Line(1)));
        assert_eq!(parse_updates(format!("\n{A} {A} a\x1b[1m").as_bytes()), Err(UpdateError::Name(2)));
        let many = format!("{A} {A} r\n").repeat(MOST_UPDATES + 1);
        assert_eq!(parse_updates(many.as_bytes()), Err(UpdateError::TooMany));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse_updates(&bytes);
        }
    }
}
