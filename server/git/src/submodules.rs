//! What a commit says about other repositories, and which of their addresses may be asked. Pure; fetching is next door.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::terminal::clean_line;
use crate::{DiskShort, ObjectId};

/// Another repository at one commit, in a directory of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Its directory.
    pub path: PathBuf,
    /// The commit that belongs there.
    pub commit: ObjectId,
    /// Where `.gitmodules` says it is, without a password; none while that has not been read or is not said.
    pub url: Option<String>,
}

/// Bounds for fetching submodules.
#[derive(Debug, Clone)]
pub struct SubmoduleLimits {
    /// For each one.
    pub time: Duration,
    /// Bytes that one may take on disk while it is fetched.
    pub bytes: u64,
    /// Submodules of submodules: 1 is none.
    pub depth: usize,
    /// Of one commit in all.
    pub count: usize,
    /// Bytes that stay free on the disk.
    pub reserve_bytes: u64,
}

impl Default for SubmoduleLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(120), bytes: 1 << 30, depth: 4, count: 50, reserve_bytes: 0 }
    }
}

/// Why a submodule could not be fetched. `Display` says which, from where and why; `hint` what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the submodule `{path}` could not be fetched{from}: {fault}")]
pub struct SubmoduleError {
    path: String,
    from: String,
    fault: SubmoduleFault,
}

/// What was wrong with a submodule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmoduleFault {
    /// A commit of another repository without a word about which.
    #[error(".gitmodules does not say where it is")]
    Unknown,
    /// `./…`, `../…` or a path.
    #[error("its address is relative, and on this server there is nothing beside the app's own repository")]
    Relative,
    /// ssh, file, git, ext, …
    #[error("its address does not begin with https:// or http://, and the server has no key for others")]
    Scheme,
    /// An address that is none.
    #[error("its address is malformed")]
    Malformed,
    /// git's last words.
    #[error("{0}")]
    Fetch(String),
    /// Out of time.
    #[error("it took longer than {0} s")]
    Slow(u64),
    /// Out of space.
    #[error("it is larger than {} MB, the limit here", .0 / 1_000_000)]
    Large(u64),
    /// No room.
    #[error(transparent)]
    Full(#[from] DiskShort),
    /// Over a bound.
    #[error("there are too many submodules, or they lie too deep within each other")]
    TooMany,
}

impl SubmoduleError {
    pub(crate) fn new(submodule: &Submodule, fault: SubmoduleFault) -> Self {
        let from = submodule.url.as_deref().map(|url| format!(" from {}", redact(url))).unwrap_or_default();
        Self { path: clean_line(submodule.path.as_os_str().as_bytes(), 300), from, fault }
    }

    /// Returns what was wrong.
    pub fn fault(&self) -> &SubmoduleFault {
        &self.fault
    }

    /// Returns what helps, as a sentence.
    pub fn hint(&self) -> String {
        let path = &self.path;
        let vendor = format!(
            "commit its files instead: git rm --cached {path} && rm -rf {path}/.git && git add {path} && git commit"
        );
        match self.fault {
            SubmoduleFault::Unknown => {
                format!(
                    "if it was added by mistake, {vendor}. Otherwise add it properly: git submodule add URL {path}"
                )
            }
            SubmoduleFault::Relative | SubmoduleFault::Scheme | SubmoduleFault::Malformed => format!(
                "give it a public https:// address: git submodule set-url {path} https://…, and commit .gitmodules. Or {vendor}"
            ),
            SubmoduleFault::Full(_) => "free space on the server".to_owned(),
            _ => {
                format!("make {path} reachable without a password, and push the commit it is at. Or {vendor}")
            }
        }
    }
}

/// Parses the output of `git config -z --list` for a `.gitmodules`: path → address.
pub(crate) fn parse_addresses(listing: &[u8]) -> BTreeMap<PathBuf, String> {
    let (mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new());
    for entry in listing.split(|&byte| byte == 0) {
        let Some(end) = entry.iter().position(|&byte| byte == b'\n') else { continue };
        let (key, value) = (&entry[..end], &entry[end + 1..]);
        let Some(key) = key.strip_prefix(b"submodule.") else { continue };
        if let Some(name) = key.strip_suffix(b".path") {
            paths.insert(name.to_vec(), value.strip_suffix(b"/").unwrap_or(value).to_vec());
        } else if let Some(name) = key.strip_suffix(b".url") {
            urls.insert(name.to_vec(), String::from_utf8_lossy(value).into_owned());
        }
    }
    let known = paths.into_iter().filter_map(|(name, path)| Some((path, urls.remove(&name)?)));
    known.map(|(path, url)| (PathBuf::from(OsStr::from_bytes(&path)), url)).collect()
}

/// Returns whether this address may be asked, and if not, why.
pub(crate) fn check_url(url: &str) -> Result<(), SubmoduleFault> {
    if url.starts_with('.') || url.starts_with('/') {
        return Err(SubmoduleFault::Relative);
    }
    let lower = url.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let rest = rest.ok_or(SubmoduleFault::Scheme)?;
    let host = rest.split('/').next().and_then(|authority| authority.rsplit('@').next()).unwrap_or_default();
    let odd = |character: char| character.is_control() || character.is_whitespace();
    if host.is_empty() || host.starts_with(['-', ':']) || url.len() > 2000 || url.chars().any(odd) {
        return Err(SubmoduleFault::Malformed);
    }
    Ok(())
}

/// Returns an address to show: without user, password and query.
pub(crate) fn redact(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let end = rest.find('/').unwrap_or(rest.len());
    let authority = &rest[..end];
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit() || byte == b']' || byte == b':');
    let shown = match (authority.rfind('@'), authority.split_once(':')) {
        (Some(at), _) => format!("***{}", &rest[at..]),
        // What looks like a port and is none may be a password with a slash in it.
        (None, Some((_, port))) if !authority.starts_with('[') && !is_port(port) => "***".to_owned(),
        _ => rest.to_owned(),
    };
    let shown = if scheme.is_empty() { shown } else { format!("{scheme}://{shown}") };
    clean_line(shown.as_bytes(), 300)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_found_by_path() {
        let listing = b"submodule.a.b.path\nvendor/x/\0submodule.a.b.url\nhttps://h/x.git\0submodule.c.path\nc\0core.x\ny\0odd\0";
        let expected = BTreeMap::from([(PathBuf::from("vendor/x"), "https://h/x.git".to_owned())]);
        assert_eq!(parse_addresses(listing), expected);
    }

    #[test]
    fn only_public_web_addresses_are_asked() {
        assert_eq!(check_url("https://example.org/x.git"), Ok(()));
        assert_eq!(check_url("HTTP://user:pw@127.0.0.1:8000/x"), Ok(()));
        for url in [
            "git@example.org:x.git",
            "ssh://h/x",
            "file:///etc",
            "ext::sh -c id",
            "git://h/x",
            "--upload-pack=id",
            "c:\\x",
        ] {
            assert_eq!(check_url(url), Err(SubmoduleFault::Scheme), "{url}");
        }
        for url in ["../other.git", "./x", "/srv/x"] {
            assert_eq!(check_url(url), Err(SubmoduleFault::Relative), "{url}");
        }
        for url in ["https://", "https://-x/y", "https://h/a b", "https://u@/x", "http://h/\nx"] {
            assert_eq!(check_url(url), Err(SubmoduleFault::Malformed), "{url}");
        }
    }

    #[test]
    fn an_error_says_which_where_why_and_what_helps_but_no_password() {
        let commit = "04bacd0d534f8e33dad78a189e20378b56a90de9".parse().unwrap();
        let url = Some("https://me:s3cret@example.org/x.git?token=s3cret".to_owned());
        let submodule = Submodule { path: "vendor/x".into(), commit, url };
        let error = SubmoduleError::new(&submodule, SubmoduleFault::Fetch("not found".to_owned()));
        assert_eq!(
            error.to_string(),
            "the submodule `vendor/x` could not be fetched from https://***@example.org/x.git: not found"
        );
        assert!(error.hint().contains("git rm --cached vendor/x"));
    }

    proptest! {
        #[test]
        fn no_password_is_ever_shown(user in "[a-z]{0,5}", slash in "/?", rest in "[a-z/@.:]{0,20}") {
            let shown = redact(&format!("https://{user}:a{slash}s3cretpw@host.example/{rest}"));
            prop_assert!(!shown.contains("s3cretpw"), "{}", shown);
        }

        #[test]
        fn no_text_makes_it_panic(text: String, bytes: Vec<u8>) {
            let _ = (check_url(&text), redact(&text), parse_addresses(&bytes));
        }
    }
}
