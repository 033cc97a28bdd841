//! What a backup may hold, by the names that it has in the archive. A name that is none of these is refused, so that no
//! name can lead anywhere else.

use std::fmt;
use std::str::FromStr;

use model::id::AppId;
use model::slug::Digest;

/// Longest piece of a name, in bytes.
const PIECE: usize = 100;

/// Something in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// What the backup is of; the first member.
    Head,
    /// Rows of a table, a JSON object a line.
    Rows {
        /// The table.
        table: String,
        /// Counts from 1 within the table.
        part: u32,
    },
    /// The key that config vars are sealed with.
    SecretKey,
    /// The token of the first administrator.
    AdminToken,
    /// The configuration that the server was started with.
    Configuration,
    /// A file of the certificates of a domain.
    Certificate {
        /// The domain, which is the name of its folder.
        domain: String,
        /// The file.
        file: String,
    },
    /// The image of a slug.
    Image(Digest),
    /// A part of an app's repository.
    Repository {
        /// The app.
        app: AppId,
        /// One to three pieces; what they mean the crate `git` knows.
        file: String,
    },
    /// The SHA-256 of all others, in the format of sha256sum(1); the last member.
    Manifest,
}

/// A name that nothing in a backup has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a backup holds nothing of this name")]
pub struct MemberError;

impl Member {
    /// Returns the most bytes that it may have, where it is read as a whole.
    pub(crate) fn bytes_max(&self) -> u64 {
        match self {
            Self::Head | Self::Certificate { .. } | Self::Configuration => 1 << 20,
            Self::SecretKey | Self::AdminToken => 4096,
            Self::Rows { .. } => 256 << 20,
            Self::Image(_) | Self::Repository { .. } | Self::Manifest => u64::MAX,
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("head.json"),
            Self::Rows { table, part } => write!(f, "database/{table}/{part:06}.jsonl"),
            Self::SecretKey => f.write_str("secret-key"),
            Self::AdminToken => f.write_str("admin-token"),
            Self::Configuration => f.write_str("paasd.toml"),
            Self::Certificate { domain, file } => write!(f, "certs/{domain}/{file}"),
            Self::Image(digest) => write!(f, "slugs/{digest}.squashfs"),
            Self::Repository { app, file } => write!(f, "repos/{app}/{file}"),
            Self::Manifest => f.write_str("manifest"),
        }
    }
}

impl FromStr for Member {
    type Err = MemberError;

    fn from_str(name: &str) -> Result<Self, MemberError> {
        let pieces: Vec<&str> = name.split('/').collect();
        if !pieces.iter().all(|piece| is_plain(piece)) {
            return Err(MemberError);
        }
        let member = match *pieces.as_slice() {
            ["head.json"] => Some(Self::Head),
            ["secret-key"] => Some(Self::SecretKey),
            ["admin-token"] => Some(Self::AdminToken),
            ["paasd.toml"] => Some(Self::Configuration),
            ["manifest"] => Some(Self::Manifest),
            ["database", table, part] => rows(table, part),
            ["certs", domain, file] => {
                Some(Self::Certificate { domain: domain.to_owned(), file: file.to_owned() })
            }
            ["slugs", image] => {
                image.strip_suffix(".squashfs").and_then(|digest| digest.parse().ok()).map(Self::Image)
            }
            ["repos", app, ref file @ ..] if (1..=3).contains(&file.len()) => {
                app.parse().ok().map(|app| Self::Repository { app, file: file.join("/") })
            }
            _ => None,
        };
        // One name each: an id has several spellings.
        member.filter(|member| member.to_string() == name).ok_or(MemberError)
    }
}

fn rows(table: &str, part: &str) -> Option<Member> {
    let is_name = table.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let part = part.strip_suffix(".jsonl")?.parse().ok()?;
    is_name.then(|| Member::Rows { table: table.to_owned(), part })
}

/// No piece is hidden, leads up, or needs quoting.
fn is_plain(piece: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_*+@".contains(&byte);
    (1..=PIECE).contains(&piece.len()) && !piece.starts_with('.') && piece.bytes().all(fits)
}
