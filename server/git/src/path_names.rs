//! Which names from a pushed tree may become files. A tree is bytes that anybody can write; git's own checks are behind us,
//! these stand on their own.

/// Bytes of one name that file systems take.
const LONGEST_NAME: usize = 255;

/// Why a name may not become a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Empty, `.` or `..`.
    #[error("the name is not one of a file")]
    NotAName,
    /// Would be several names.
    #[error("the name holds a slash or a NUL")]
    Separator,
    /// What git, or a file system that is kind to names, takes for its own directory.
    #[error("the name stands for git's own directory")]
    DotGit,
    /// More than a file system takes.
    #[error("the name is longer than {LONGEST_NAME} bytes, shorten it")]
    Long,
}

/// Checks one name, without its directory.
pub(crate) fn check(name: &[u8]) -> Result<(), NameFault> {
    match name {
        b"" | b"." | b".." => Err(NameFault::NotAName),
        _ if name.contains(&b'/') || name.contains(&0) => Err(NameFault::Separator),
        _ if is_dot_git(name) => Err(NameFault::DotGit),
        _ if name.len() > LONGEST_NAME => Err(NameFault::Long),
        _ => Ok(()),
    }
}

/// As HFS+ ignores some characters, and NTFS case, trailing dots and spaces, streams, and has short names
/// (git's `is_hfs_dotgit` and `is_ntfs_dotgit`).
fn is_dot_git(name: &[u8]) -> bool {
    let text = String::from_utf8_lossy(name);
    let heard: String = text.chars().filter(|character| !is_ignored(*character)).collect();
    let heard =
        heard.split([':', '\\']).next().unwrap_or_default().trim_end_matches([' ', '.']).to_ascii_lowercase();
    heard == ".git" || heard == "git~1"
}

fn is_ignored(character: char) -> bool {
    matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_disguise_of_gits_directory_is_seen() {
        for name in [
            ".git",
            ".GIT",
            ".gIt ",
            ".git. .",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git::$INDEX_ALLOCATION",
        ] {
            assert_eq!(check(name.as_bytes()), Err(NameFault::DotGit), "{name:?}");
        }
        for name in [".gitignore", ".gitmodules", "git", "git~2", ".github", "…", ".g\u{131}t"] {
            assert_eq!(check(name.as_bytes()), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn a_name_stays_in_its_directory() {
        for name in ["", ".", ".."] {
            assert_eq!(check(name.as_bytes()), Err(NameFault::NotAName), "{name:?}");
        }
        assert_eq!(check(b"a/b"), Err(NameFault::Separator));
        assert_eq!(check(b"\xff\xfe"), Ok(()), "names are bytes");
        assert_eq!(check(&[b'a'; 256]), Err(NameFault::Long));
    }

    proptest! {
        #[test]
        fn what_passes_is_one_component(name: Vec<u8>) {
            use std::os::unix::ffi::OsStrExt;
            if check(&name).is_ok() {
                let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&name));
                let parts: Vec<_> = path.components().collect();
                prop_assert!(matches!(parts[..], [std::path::Component::Normal(part)] if part.as_bytes() == name));
            }
        }
    }
}
