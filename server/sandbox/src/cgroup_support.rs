//! Which limits this host's cgroups can hold, found by trying.
//!
//! Written here because the available library pulls in a D-Bus client and cannot say why a limit is not
//! to be had, which the platform has to tell its owner. Both versions of the interface are files:
//! Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst of the kernel.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// The directory of all our groups in each hierarchy.
const PARENT: &str = "paas";

/// One kind of limit or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Limits and counts memory.
    Memory,
    /// Limits processor time.
    Cpu,
    /// Counts processor time.
    CpuAccounting,
    /// Limits processes and threads.
    Pids,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::CpuAccounting, Self::Pids];

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::CpuAccounting => "cpuacct",
            Self::Pids => "pids",
        }
    }
}

/// The version of the kernel's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// Which limits are to be had, and why others are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CgroupSupport {
    /// The interface in use; nothing where no controller is to be had.
    pub version: Option<CgroupVersion>,
    /// A sentence about each controller that is not to be had, for the log.
    pub why_not: Option<String>,
    /// The parent directory of our groups for each controller.
    pub(crate) parents: BTreeMap<Controller, PathBuf>,
}

impl CgroupSupport {
    /// Tries what this host lets us do. Makes the parent directory of our groups.
    pub fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Self::detect_among(&Mounted::read(&mounts))
    }

    /// Whether a controller is to be had.
    pub fn has(&self, controller: Controller) -> bool {
        self.parents.contains_key(&controller)
    }

    /// Returns the controllers that are to be had.
    pub fn controllers(&self) -> impl Iterator<Item = Controller> {
        self.parents.keys().copied()
    }

    /// Returns the directories of a group: one each hierarchy.
    pub(crate) fn directories(&self, name: &str) -> BTreeSet<PathBuf> {
        self.parents.values().map(|parent| parent.join(name)).collect()
    }

    /// Returns the files a process writes itself into to join a group.
    pub(crate) fn member_files(&self, name: &str) -> Vec<PathBuf> {
        self.directories(name).into_iter().map(|directory| directory.join("cgroup.procs")).collect()
    }

    fn detect_among(mounted: &Mounted) -> Self {
        let mut support = Self::default();
        let mut reasons = BTreeMap::<String, Vec<&str>>::new();
        for controller in Controller::ALL {
            match mounted.parent_for(controller) {
                Ok((version, parent)) => {
                    support.version = support.version.or(Some(version));
                    support.parents.insert(controller, parent);
                }
                Err(reason) => reasons.entry(reason).or_default().push(controller.name()),
            }
        }
        let sentences: Vec<_> =
            reasons.iter().map(|(reason, names)| format!("{}: {reason}", names.join(", "))).collect();
        support.why_not = (!sentences.is_empty()).then(|| sentences.join("; "));
        support
    }
}

/// The cgroup file systems of this host.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mounted {
    v1: BTreeMap<String, PathBuf>,
    v2: Option<PathBuf>,
}

impl Mounted {
    /// Reads `proc_pid_mountinfo(5)`.
    fn read(mountinfo: &str) -> Self {
        let mut mounted = Self::default();
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let Some(point) = left.split(' ').nth(4).map(PathBuf::from) else { continue };
            let mut right = right.split(' ');
            match (right.next(), right.nth(1)) {
                (Some("cgroup2"), _) => mounted.v2 = Some(point),
                (Some("cgroup"), Some(options)) => {
                    let of_point = options.split(',').map(|option| (option.to_owned(), point.clone()));
                    mounted.v1.extend(of_point);
                }
                _ => {}
            }
        }
        mounted
    }

    /// Returns the directory our groups for a controller go into, or why there is none.
    fn parent_for(&self, controller: Controller) -> Result<(CgroupVersion, PathBuf), String> {
        if let Some(root) = self.v1.get(controller.name()) {
            let parent = root.join(PARENT);
            make(&parent)?;
            return Ok((CgroupVersion::V1, parent));
        }
        let root = self.v2.as_deref().ok_or("no cgroup file system with it is mounted")?;
        enable(root, controller)?;
        let parent = root.join(PARENT);
        make(&parent)?;
        enable(&parent, controller)?;
        Ok((CgroupVersion::V2, parent))
    }
}

fn make(directory: &Path) -> Result<(), String> {
    let made = fs::create_dir(directory).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    });
    made.and_then(|()| rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).map_err(Into::into))
        .map_err(|error| explain(&error, directory))
}

/// Hands a controller of version 2 down to the groups below `directory`.
fn enable(directory: &Path, controller: Controller) -> Result<(), String> {
    // Version 2 always counts processor time, in `cpu.stat`.
    if controller == Controller::CpuAccounting {
        return Ok(());
    }
    let file = directory.join("cgroup.controllers");
    let available = fs::read_to_string(&file).map_err(|error| explain(&error, &file))?;
    if !available.split_whitespace().any(|name| name == controller.name()) {
        return Err(format!("the kernel or a parent group does not offer it in {}", file.display()));
    }
    let file = directory.join("cgroup.subtree_control");
    if fs::read_to_string(&file).is_ok_and(|on| on.split_whitespace().any(|name| name == controller.name())) {
        return Ok(());
    }
    fs::write(&file, format!("+{}", controller.name())).map_err(|error| explain(&error, &file))
}

fn explain(error: &io::Error, path: &Path) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("{path} is mounted read-only; in a container, run it with a writable /sys/fs/cgroup")
        }
        io::ErrorKind::PermissionDenied => format!("no permission to write {path}; it takes root"),
        io::ErrorKind::ResourceBusy => {
            format!("{path} refuses because processes run in that group itself, as in a container")
        }
        _ => format!("{path}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_both_versions_are_read() {
        let text = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                    41 31 0:38 / /sys/fs/cgroup/unified rw shared:1 - cgroup2 cgroup2 rw\n\
                    22 27 0:21 / /proc rw - proc proc rw\n";
        let mounted = Mounted::read(text);
        assert_eq!(mounted.v1["cpuacct"], Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(mounted.v2.as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
    }

    /// The files of a version 2 hierarchy, without the kernel behind them.
    fn version_two(controllers: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in [root.path().to_owned(), root.path().join(PARENT)] {
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("cgroup.controllers"), controllers).unwrap();
            fs::write(directory.join("cgroup.subtree_control"), "").unwrap();
        }
        root
    }

    #[test]
    fn a_missing_controller_is_explained_and_the_others_are_used() {
        let root = version_two("cpu pids\n");
        let support =
            CgroupSupport::detect_among(&Mounted { v2: Some(root.path().into()), ..Mounted::default() });
        assert_eq!(support.version, Some(CgroupVersion::V2));
        assert!(support.has(Controller::Cpu) && support.has(Controller::CpuAccounting));
        let why_not = support.why_not.unwrap();
        assert!(why_not.starts_with("memory: the kernel or a parent group does not offer it"), "{why_not}");
        let handed_down = fs::read_to_string(root.path().join("paas/cgroup.subtree_control")).unwrap();
        assert_eq!(handed_down, "+pids");
    }

    #[test]
    fn no_cgroups_at_all_is_one_sentence() {
        let support = CgroupSupport::detect_among(&Mounted::default());
        assert_eq!(support.version, None);
        let expected = "memory, cpu, cpuacct, pids: no cgroup file system with it is mounted";
        assert_eq!(support.why_not.as_deref(), Some(expected));
    }
}
