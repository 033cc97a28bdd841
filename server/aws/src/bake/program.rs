//! A program that goes into an image: what it is, found out from its first bytes, and its digest.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use model::slug::Digest;
use sha2::{Digest as _, Sha256};

/// What a program's machine code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

/// A program for Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Its SHA-256.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// What it is for.
    pub architecture: Architecture,
}

/// Why something is no program for hosts.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is none for Linux, or for a machine that hosts cannot be.
    #[error("{0} is no Linux program for x86_64 or arm64")]
    NotForHosts(PathBuf),
}

/// How many bytes say what it is: the first fields of an ELF header.
const HEADER: usize = 20;

impl Program {
    /// Reads a program.
    ///
    /// # Errors
    /// It cannot be read, or is none for hosts.
    pub fn read(path: &Path) -> Result<Self, ProgramError> {
        let unreadable = |source| ProgramError::Unreadable { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut header = Vec::with_capacity(HEADER);
        file.by_ref().take(HEADER as u64).read_to_end(&mut header).map_err(unreadable)?;
        let architecture = architecture(&header).ok_or_else(|| ProgramError::NotForHosts(path.to_owned()))?;
        file.rewind().map_err(unreadable)?;
        let mut hash = Sha256::new();
        let bytes = io::copy(&mut file, &mut hash).map_err(unreadable)?;
        Ok(Self { path: path.to_owned(), digest: digest(hash), bytes, architecture })
    }
}

/// Returns what an ELF file is for, by its first bytes: 64 bits, little-endian, Linux's conventions, a program.
fn architecture(header: &[u8]) -> Option<Architecture> {
    let known = header.get(..4)? == b"\x7fELF" && header.get(4..6)? == [2, 1];
    let for_linux = matches!(header.get(7)?, 0 | 3);
    let runs = matches!(u16::from_le_bytes([*header.get(16)?, *header.get(17)?]), 2 | 3);
    if !(known && for_linux && runs) {
        return None;
    }
    match u16::from_le_bytes([*header.get(18)?, *header.get(19)?]) {
        62 => Some(Architecture::X86_64),
        183 => Some(Architecture::Arm64),
        _ => None,
    }
}

/// Returns a digest of ours.
pub(super) fn digest(hash: Sha256) -> Digest {
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().expect("a SHA-256 has 64 hexadecimal digits")
}

impl fmt::Display for Architecture {
    /// Writes it as EC2 calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(osabi: u8, kind: u8, machine: u8) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.push(osabi);
        bytes.extend([0; 8]);
        bytes.extend([kind, 0, machine, 0]);
        bytes
    }

    #[test]
    fn only_programs_for_hosts_are_taken() {
        assert_eq!(architecture(&header(0, 3, 62)), Some(Architecture::X86_64));
        assert_eq!(architecture(&header(3, 2, 183)), Some(Architecture::Arm64));
        // FreeBSD's, an object file, a 32-bit machine, Mach-O, nothing.
        assert_eq!(architecture(&header(9, 3, 62)), None);
        assert_eq!(architecture(&header(0, 1, 62)), None);
        assert_eq!(architecture(&header(0, 3, 40)), None);
        assert_eq!(
            architecture(b"\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"),
            None
        );
        assert_eq!(architecture(b"\x7fELF"), None);
    }

    #[test]
    fn this_test_is_a_program_and_its_digest_is_that_of_all_its_bytes() {
        let path = std::env::current_exe().unwrap();
        let program = Program::read(&path).unwrap();
        assert_eq!(program.architecture.to_string(), std::env::consts::ARCH.replace("aarch64", "arm64"));
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(program.bytes, bytes.len() as u64);
        assert_eq!(program.digest, digest(Sha256::new_with_prefix(bytes)));
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text");
        std::fs::write(&text, "#!/bin/sh\n").unwrap();
        assert!(matches!(Program::read(&text), Err(ProgramError::NotForHosts(_))));
        assert!(matches!(Program::read(dir.path()), Err(ProgramError::Unreadable { .. })));
    }
}
