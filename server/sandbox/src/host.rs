//! What a host has to offer for sandboxes: privilege, programs, base system, cgroups.
//!
//! Read once at start; the rest of the crate takes it as a value and asks the host nothing.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Resource, geteuid, getrlimit};

use crate::{CgroupSupport, SandboxError, etc, seccomp};

/// Whether the platform runs as root on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Each app has a user of its own.
    Root,
    /// All apps are the platform's own user, in user namespaces.
    User,
}

impl Privilege {
    /// Returns the privilege of this process.
    pub fn detect() -> Self {
        if geteuid().is_root() { Self::Root } else { Self::User }
    }
}

/// A directory of the base system beside `/usr`, such as `/lib64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootEntry {
    /// A link into `/usr`, with its target.
    Link(PathBuf),
    /// A directory of its own, on systems without merged `/usr`.
    Directory,
}

/// What the argument list of a sandbox depends on besides its spec.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// Root or not.
    pub privilege: Privilege,
    /// The stack, such as `debian-12`.
    pub stack: String,
    /// The absolute path of bubblewrap.
    pub bwrap: PathBuf,
    /// Its version; 0.7 brought limits on the size of a tmpfs.
    pub bwrap_version: (u32, u32),
    /// The absolute path of `prlimit`.
    pub prlimit: PathBuf,
    /// The absolute path of `setpriv`.
    pub setpriv: PathBuf,
    /// The directories of the base system beside `/usr` that exist, by absolute path.
    pub root_entries: Vec<(PathBuf, RootEntry)>,
    /// The files of `/etc` that exist and are shown inside.
    pub etc: Vec<PathBuf>,
    /// Where the generated files of `/etc` lie, a directory per user id.
    pub generated: PathBuf,
    /// The hard limit on open files, if there is one.
    pub open_files_max: Option<u64>,
    /// Which limits of a cgroup are to be had.
    pub cgroups: CgroupSupport,
    /// Why no system calls are filtered, as a sentence, if they are not.
    pub unfiltered: Option<String>,
}

impl HostFacts {
    /// Reads the facts of this host; `generated` is a directory of ours for small files.
    ///
    /// Fails when bubblewrap, `prlimit` or `setpriv` is missing.
    pub fn detect(generated: &Path) -> Result<Self, SandboxError> {
        let bwrap = program("bwrap", "bubblewrap")?;
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let version = bwrap_version(&bwrap);
        Ok(Self {
            privilege: Privilege::detect(),
            stack: stack_name(&os_release),
            bwrap_version: version,
            unfiltered: seccomp::why_not(version),
            bwrap,
            prlimit: program("prlimit", "util-linux")?,
            setpriv: program("setpriv", "util-linux")?,
            root_entries: root_entries(Path::new("/")),
            etc: etc::shared(Path::new("/")),
            generated: std::path::absolute(generated)
                .map_err(SandboxError::file("find the absolute path of", generated))?,
            open_files_max: getrlimit(Resource::Nofile).maximum,
            cgroups: CgroupSupport::detect(),
        })
    }
}

/// Finds a program by `PATH`, and where services with a short one would still find it.
fn program(program: &'static str, package: &'static str) -> Result<PathBuf, SandboxError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/usr/sbin", "/bin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(usual)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
        .ok_or(SandboxError::Missing { program, package })
}

/// Returns `ID-VERSION_ID` of an os-release file, as in os-release(5).
fn stack_name(os_release: &str) -> String {
    let field = |name: &str| {
        os_release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches(['"', '\'']))
            .filter(|value| !value.is_empty())
    };
    let id = field("ID").unwrap_or("linux");
    field("VERSION_ID").map_or_else(|| id.to_owned(), |version| format!("{id}-{version}"))
}

fn bwrap_version(bwrap: &Path) -> (u32, u32) {
    let output = Command::new(bwrap).arg("--version").stdin(Stdio::null()).output();
    output.ok().and_then(|output| parse_version(&String::from_utf8_lossy(&output.stdout))).unwrap_or((0, 0))
}

/// Reads `bubblewrap 0.8.0`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().last()?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn root_entries(root: &Path) -> Vec<(PathBuf, RootEntry)> {
    let entry = |name: &str| {
        let path = root.join(name);
        let entry = match fs::read_link(&path) {
            Ok(target) => RootEntry::Link(target),
            Err(_) if path.is_dir() => RootEntry::Directory,
            Err(_) => return None,
        };
        Some((Path::new("/").join(name), entry))
    };
    ["bin", "sbin", "lib", "lib32", "lib64", "libx32"].into_iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_by_id_and_version() {
        assert_eq!(stack_name("NAME=x\nID=debian\nVERSION_ID=\"12\"\n"), "debian-12");
        assert_eq!(stack_name("ID=arch\nVERSION_ID=\n"), "arch");
        assert_eq!(stack_name(""), "linux");
    }

    #[test]
    fn a_version_is_read() {
        assert_eq!(parse_version("bubblewrap 0.8.0\n"), Some((0, 8)));
        assert_eq!(parse_version("what"), None);
    }

    #[test]
    fn links_and_directories_of_the_root_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("lib")).unwrap();
        std::os::unix::fs::symlink("usr/bin", root.path().join("bin")).unwrap();
        let expected = [
            (PathBuf::from("/bin"), RootEntry::Link("usr/bin".into())),
            (PathBuf::from("/lib"), RootEntry::Directory),
        ];
        assert_eq!(root_entries(root.path()), expected);
    }
}
