//! What the hook tells the server about a push: the references that move, and where git keeps the new objects until
//! the push is accepted. Packing and parsing only.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::{RefUpdate, UpdateError, parse_updates};

/// Push options that are kept; git itself bounds only their sizes.
const MOST_OPTIONS: usize = 100;

/// One push, as git hands it to its hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRequest {
    /// The references that move, or why they could not be read (then the push is to be refused with these words).
    pub updates: Result<Vec<RefUpdate>, UpdateError>,
    /// What came with `git push -o`; not trusted.
    pub options: Vec<String>,
    /// Where the new objects are until the push is accepted.
    pub(crate) quarantine: Option<PathBuf>,
}

/// Returns whether the hook passes this variable on.
pub(super) fn is_passed_on(name: &[u8]) -> bool {
    name == b"GIT_QUARANTINE_PATH" || name.starts_with(b"GIT_PUSH_OPTION_")
}

/// Returns session, variables and references as one payload: parts that end with NUL, an empty part, the references.
pub(super) fn pack(session: &[u8], variables: &[(OsString, OsString)], references: &[u8]) -> Vec<u8> {
    let mut payload = [session, b"\0"].concat();
    for (name, value) in variables {
        payload.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    payload.push(0);
    payload.extend_from_slice(references);
    payload
}

/// Returns the session and the push, or none if the payload is not what the hook sends.
pub(super) fn unpack(payload: &[u8]) -> Option<(String, PushRequest)> {
    let (session, mut rest) = split_part(payload)?;
    let mut variables = BTreeMap::new();
    loop {
        let (part, after) = split_part(rest)?;
        rest = after;
        if part.is_empty() {
            break;
        }
        let equals = part.iter().position(|&byte| byte == b'=')?;
        variables.insert(part[..equals].to_owned(), part[equals + 1..].to_owned());
    }
    let session = String::from_utf8(session.to_owned()).ok()?;
    let quarantine = variables.get(b"GIT_QUARANTINE_PATH".as_slice());
    let push = PushRequest {
        updates: parse_updates(rest),
        options: options(&variables),
        quarantine: quarantine.map(|path| PathBuf::from(OsString::from_vec(path.clone()))),
    };
    Some((session, push))
}

/// `GIT_PUSH_OPTION_COUNT` and `GIT_PUSH_OPTION_<n>`: githooks(5).
fn options(variables: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    (0..MOST_OPTIONS)
        .map_while(|at| variables.get(format!("GIT_PUSH_OPTION_{at}").as_bytes()))
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_push_survives_packing() {
        let id = "04bacd0d534f8e33dad78a189e20378b56a90de9";
        let variables = [
            ("GIT_PUSH_OPTION_0", "ci.skip=a=b"),
            ("GIT_PUSH_OPTION_1", ""),
            ("GIT_PUSH_OPTION_COUNT", "2"),
            ("GIT_QUARANTINE_PATH", "/r/objects/tmp_objdir-incoming-x"),
        ];
        let variables: Vec<_> = variables.map(|(name, value)| (name.into(), value.into())).into();
        let payload = pack(b"s1", &variables, format!("{id} {id} refs/heads/main\n").as_bytes());
        let (session, push) = unpack(&payload).unwrap();
        assert_eq!(session, "s1");
        assert_eq!(push.options, ["ci.skip=a=b", ""]);
        assert_eq!(push.quarantine, Some("/r/objects/tmp_objdir-incoming-x".into()));
        assert_eq!(push.updates.unwrap()[0].name, "refs/heads/main");
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(bytes: Vec<u8>) {
            let _ = unpack(&bytes);
        }
    }
}
