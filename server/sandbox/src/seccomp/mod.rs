//! Filters of system calls, as files that bubblewrap hands to the kernel.
//!
//! Which calls are denied is decided in `denied`. The files are the same for every sandbox of a version and are named
//! by their content, so that a newer server never changes one under a start that is going on.

mod denied;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, sock_filter};
use sha2::{Digest as _, Sha256};

use crate::SandboxError;

/// The number from which x86-64 counts the calls of its x32 interface, `__X32_SYSCALL_BIT` of the kernel: the same
/// calls under numbers that no other filter knows.
const OTHER_INTERFACE: u32 = 0x4000_0000;

/// `BPF_LD | BPF_W | BPF_ABS`: loads a word of `struct seccomp_data`; the number of the call is its first.
const LOAD: u16 = 0x20;
/// `BPF_JMP | BPF_JGE | BPF_K`.
const JUMP_IF_AT_LEAST: u16 = 0x35;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

/// Returns the files of the filters, which are written below `directory` if they are not there.
pub(crate) fn prepare(directory: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let programs = programs().map_err(|error| SandboxError::Filter(error.to_string()))?;
    programs.iter().map(|program| write(directory, &bytes(program))).collect()
}

/// Returns why this kernel cannot filter system calls, as a sentence, if it cannot.
pub(crate) fn why_not(bwrap_version: (u32, u32)) -> Option<String> {
    let reason = if TargetArch::try_from(env::consts::ARCH).is_err() {
        format!("the processor is {}, for which there are no filters", env::consts::ARCH)
    } else if !Path::new("/proc/sys/kernel/seccomp").exists() {
        "the kernel was built without CONFIG_SECCOMP_FILTER".to_owned()
    } else if bwrap_version < (0, 5) {
        "bubblewrap is older than 0.5".to_owned()
    } else {
        return None;
    };
    Some(format!("Apps and builds may make every system call: {reason}."))
}

/// Each program passes on what it does not deny; the kernel asks all of them.
fn programs() -> seccompiler::Result<Vec<BpfProgram>> {
    let filter = |calls, errno: libc::c_int| -> seccompiler::Result<BpfProgram> {
        let architecture = TargetArch::try_from(env::consts::ARCH)?;
        let denied = SeccompAction::Errno(errno.unsigned_abs());
        Ok(SeccompFilter::new(calls, SeccompAction::Allow, denied, architecture)?.try_into()?)
    };
    let other_interface = filter_numbers_from(OTHER_INTERFACE);
    Ok(vec![
        filter(denied::refused()?, libc::EPERM)?,
        filter(denied::absent(), libc::ENOSYS)?,
        other_interface,
    ])
}

/// Answers `ENOSYS` to every call from a number on. The library knows calls one by one only.
fn filter_numbers_from(number: u32) -> BpfProgram {
    let step = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    vec![
        step(LOAD, 0),
        sock_filter { jf: 1, ..step(JUMP_IF_AT_LEAST, number) },
        step(RETURN, SeccompAction::Errno(libc::ENOSYS.unsigned_abs()).into()),
        step(RETURN, SeccompAction::Allow.into()),
    ]
}

/// The program as the kernel reads it: an array of `struct sock_filter`.
fn bytes(program: &[sock_filter]) -> Vec<u8> {
    program
        .iter()
        .flat_map(|step| {
            let [a, b] = step.code.to_ne_bytes();
            let [k0, k1, k2, k3] = step.k.to_ne_bytes();
            [a, b, step.jt, step.jf, k0, k1, k2, k3]
        })
        .collect()
}

fn write(directory: &Path, bytes: &[u8]) -> Result<PathBuf, SandboxError> {
    let name = hex::encode(&Sha256::digest(bytes)[..8]);
    let path = directory.join(format!("{name}.seccomp"));
    if fs::metadata(&path).is_ok_and(|file| file.len() == bytes.len() as u64) {
        return Ok(path);
    }
    fs::create_dir_all(directory).map_err(SandboxError::file("create", directory))?;
    let beside = path.with_extension(format!("{}.new", rustix::thread::gettid().as_raw_nonzero()));
    fs::write(&beside, bytes).map_err(SandboxError::file("write", &beside))?;
    fs::rename(&beside, &path).map_err(SandboxError::file("write", &path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_whole_written_once_and_short_enough_for_the_kernel() {
        let directory = tempfile::tempdir().unwrap();
        let files = prepare(directory.path()).unwrap();
        assert_eq!(files, prepare(directory.path()).unwrap());
        for file in files {
            let length = fs::metadata(&file).unwrap().len();
            // BPF_MAXINSNS of the kernel.
            assert!(length > 0 && length % 8 == 0 && length / 8 <= 4096, "{length}");
        }
    }

    #[test]
    fn no_call_that_every_program_makes_is_denied() {
        let refused = denied::refused().unwrap();
        for call in [libc::SYS_read, libc::SYS_execve, libc::SYS_futex, libc::SYS_prctl, libc::SYS_ptrace] {
            assert!(!refused.contains_key(&call));
        }
    }
}
