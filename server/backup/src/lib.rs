#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]
//! The file that a backup is: a tar archive compressed with zstd, with what it was made of at its beginning and the
//! SHA-256 of everything at its end. Writes it, reads it, and believes nothing that it reads; where the content comes from
//! and goes to is not decided here.
//!
//! `tar --zstd -xf FILE && sha256sum -c manifest` reads it, too.

mod error;
mod head;
mod member;
mod read;
mod target;
#[cfg(test)]
mod tests;
mod write;

pub use error::BackupError;
pub use head::{FORMAT, Head};
pub use member::{Member, MemberError};
pub use read::{Summary, read};
pub use target::Target;
pub use write::Writer;
