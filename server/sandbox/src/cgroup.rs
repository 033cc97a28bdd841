//! One group of processes: its limits, what it uses, and its end.
//!
//! Every method may be repeated. Nothing here decides who gets how much.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{CgroupSupport, CgroupVersion, Controller, Limits, SandboxError};

/// How long killed processes may take to go.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The kernel's period for processor limits, in microseconds.
const CPU_PERIOD: u64 = 100_000;

/// What the processes of a group use now or have used in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory in use, with page cache, in bytes.
    pub memory_bytes: Option<u64>,
    /// The part of it that files in memory take, such as those in `/tmp`, in bytes.
    pub files_bytes: Option<u64>,
    /// Processor time in all.
    pub cpu: Option<Duration>,
    /// Processes and threads now.
    pub pids: Option<u64>,
    /// Processes killed for want of memory, in all.
    pub oom_kills: Option<u64>,
}

/// A group of processes below `paas` in each hierarchy.
#[derive(Debug, Clone)]
pub struct Cgroup {
    name: String,
    support: CgroupSupport,
}

impl Cgroup {
    /// Returns the group of that name, whether it exists or not.
    pub fn named(support: &CgroupSupport, name: &str) -> Result<Self, SandboxError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(word) {
            return Err(SandboxError::CgroupName(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), support: support.clone() })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the group where it does not exist and sets its limits.
    pub fn create(support: &CgroupSupport, name: &str, limits: &Limits) -> Result<Self, SandboxError> {
        let group = Self::named(support, name)?;
        for directory in group.directories() {
            fs::create_dir_all(&directory).map_err(SandboxError::file("create", &directory))?;
        }
        for (controller, file, value) in settings(support.version, limits) {
            group.write(controller, file, value)?;
        }
        Ok(group)
    }

    /// Returns the names of all groups there are.
    pub fn all(support: &CgroupSupport) -> Vec<String> {
        let Some(parent) = support.parents.values().next() else { return Vec::new() };
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// Returns what it uses; nothing for what is not counted on this host.
    pub fn usage(&self) -> Usage {
        let (memory, cpu, oom) = match self.support.version {
            Some(CgroupVersion::V2) => {
                let micros = self.field(Controller::CpuAccounting, "cpu.stat", "usage_usec");
                ("memory.current", micros.map(Duration::from_micros), "memory.events")
            }
            _ => {
                let nanos = self.number(Controller::CpuAccounting, "cpuacct.usage");
                ("memory.usage_in_bytes", nanos.map(Duration::from_nanos), "memory.oom_control")
            }
        };
        Usage {
            memory_bytes: self.number(Controller::Memory, memory),
            files_bytes: self.field(Controller::Memory, "memory.stat", "shmem"),
            cpu,
            pids: self.number(Controller::Pids, "pids.current"),
            oom_kills: self.field(Controller::Memory, oom, "oom_kill"),
        }
    }

    /// Returns its processes.
    pub fn pids(&self) -> Vec<Pid> {
        let mut pids: Vec<_> = self.directories().iter().flat_map(|directory| members(directory)).collect();
        pids.sort_by_key(|pid| pid.as_raw_nonzero());
        pids.dedup();
        pids
    }

    /// Kills all its processes and waits until they are gone, within a bound. Blocks.
    pub fn kill(&self) -> Result<(), SandboxError> {
        let deadline = Instant::now() + END_WITHIN;
        loop {
            if self.support.version == Some(CgroupVersion::V2) {
                for directory in self.directories() {
                    // Kernels before 5.14 do not have it; those lose a race or two below.
                    let _ = fs::write(directory.join("cgroup.kill"), "1");
                }
            }
            let pids = self.pids();
            if pids.is_empty() {
                return Ok(());
            }
            for pid in pids {
                let _ = kill_process(pid, Signal::KILL);
            }
            if Instant::now() > deadline {
                return Err(SandboxError::StillAlive(self.name.clone()));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Removes the group, which must have no processes left. Blocks for as long as the kernel needs to
    /// forget them, within a bound.
    pub fn remove(&self) -> Result<(), SandboxError> {
        let deadline = Instant::now() + END_WITHIN;
        for directory in self.directories() {
            loop {
                match fs::remove_dir(&directory) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error)
                        if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline =>
                    {
                        thread::sleep(Duration::from_millis(1));
                    }
                    Err(error) => return Err(SandboxError::file("remove", &directory)(error)),
                }
            }
        }
        Ok(())
    }

    fn directories(&self) -> Vec<PathBuf> {
        self.support.directories(&self.name).into_iter().collect()
    }

    fn file(&self, controller: Controller, file: &str) -> Option<PathBuf> {
        Some(self.support.parents.get(&controller)?.join(&self.name).join(file))
    }

    fn write(&self, controller: Controller, file: &'static str, value: Value) -> Result<(), SandboxError> {
        let Some(path) = self.file(controller, file) else { return Ok(()) };
        match (fs::write(&path, value.text), value.required) {
            (Err(error), true) => Err(SandboxError::file("write", &path)(error)),
            _ => Ok(()),
        }
    }

    fn number(&self, controller: Controller, file: &str) -> Option<u64> {
        fs::read_to_string(self.file(controller, file)?).ok()?.trim().parse().ok()
    }

    fn field(&self, controller: Controller, file: &str, field: &str) -> Option<u64> {
        let text = fs::read_to_string(self.file(controller, file)?).ok()?;
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(' ')?.trim().parse().ok())
    }
}

fn members(directory: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process of another pid namespace.
    text.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

struct Value {
    text: String,
    required: bool,
}

/// Decides what is written where for limits.
fn settings(version: Option<CgroupVersion>, limits: &Limits) -> Vec<(Controller, &'static str, Value)> {
    let required = |text: String| Value { text, required: true };
    let optional = |text: String| Value { text, required: false };
    let memory = limits.memory_bytes.map(|bytes| bytes.to_string());
    let pids = limits.pids.map(|pids| (Controller::Pids, "pids.max", required(pids.to_string())));
    let quota = limits.cpu_percent.map(|percent| u64::from(percent) * CPU_PERIOD / 100);
    let mut settings = Vec::new();
    if version == Some(CgroupVersion::V2) {
        settings.extend(memory.into_iter().flat_map(|bytes| {
            // The limit is for both; without swap accounting the second file is missing.
            [
                (Controller::Memory, "memory.max", required(bytes)),
                (Controller::Memory, "memory.swap.max", optional("0".into())),
            ]
        }));
        let cpu = quota.map(|quota| (Controller::Cpu, "cpu.max", required(format!("{quota} {CPU_PERIOD}"))));
        settings.extend(cpu);
        settings.extend(
            limits
                .cpu_shares
                .map(|shares| (Controller::Cpu, "cpu.weight", required(weight(shares).to_string()))),
        );
    } else {
        // The limit with swap may never be the lower one, so it is raised first and lowered last.
        settings.extend(memory.into_iter().flat_map(|bytes| {
            [
                (Controller::Memory, "memory.memsw.limit_in_bytes", optional(bytes.clone())),
                (Controller::Memory, "memory.limit_in_bytes", required(bytes.clone())),
                (Controller::Memory, "memory.memsw.limit_in_bytes", optional(bytes)),
            ]
        }));
        let cpu = quota.map(|quota| (Controller::Cpu, "cpu.cfs_quota_us", required(quota.to_string())));
        settings.extend(cpu);
        settings.extend(
            limits.cpu_shares.map(|shares| (Controller::Cpu, "cpu.shares", required(shares.to_string()))),
        );
    }
    settings.extend(pids);
    settings
}

/// Converts shares (2 to 262144) to a weight (1 to 10000) as systemd and the OCI runtimes do.
fn weight(shares: u32) -> u64 {
    let shares = u64::from(shares.clamp(2, 262_144));
    1 + (shares - 2) * 9_999 / 262_142
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, process::Command};

    use super::*;

    /// A parent for groups of version 2, which hosts with version 1 mostly have too, without limits.
    fn version_two() -> Option<CgroupSupport> {
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists())?;
        let parent = root.join(format!("test-{}", std::process::id()));
        fs::create_dir(&parent).ok()?;
        let parents = BTreeMap::from([(Controller::CpuAccounting, parent)]);
        Some(CgroupSupport { version: Some(CgroupVersion::V2), why_not: None, parents })
    }

    #[test]
    fn a_group_of_version_two_is_joined_counted_killed_and_removed() {
        let Some(support) = version_two() else { return };
        let group = Cgroup::create(&support, "web.1", &Limits::default()).unwrap();
        let file = support.member_files("web.1").remove(0);
        let mut child = Command::new("sh")
            .args(["-c", "echo 0 >\"$0\"; sleep 1000 & while :; do :; done"])
            .arg(file)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while group.pids().len() < 2 || group.usage().cpu.unwrap() < Duration::from_millis(20) {
            assert!(Instant::now() < deadline, "{:?} {:?}", group.pids(), group.usage());
        }
        assert_eq!(Cgroup::all(&support), ["web.1"]);

        group.kill().unwrap();
        child.wait().unwrap();
        group.remove().unwrap();
        group.remove().unwrap();
        assert!(Cgroup::all(&support).is_empty());
        fs::remove_dir(&support.parents[&Controller::CpuAccounting]).unwrap();
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", "..", ".hidden", "a/b", "a b", "ä"] {
            assert!(Cgroup::named(&CgroupSupport::default(), name).is_err(), "{name}");
        }
        assert!(Cgroup::named(&CgroupSupport::default(), "web.1-a_2").is_ok());
    }

    #[test]
    fn limits_become_the_files_of_each_version() {
        let limits = Limits {
            memory_bytes: Some(1 << 20),
            cpu_percent: Some(150),
            cpu_shares: Some(1024),
            pids: Some(9),
            ..Limits::default()
        };
        let written = |version| -> Vec<String> {
            let settings = settings(Some(version), &limits).into_iter();
            settings.map(|(_, file, value)| format!("{file}={}", value.text)).collect()
        };
        let two = [
            "memory.max=1048576",
            "memory.swap.max=0",
            "cpu.max=150000 100000",
            "cpu.weight=39",
            "pids.max=9",
        ];
        assert_eq!(written(CgroupVersion::V2), two);
        let one = [
            "memory.memsw.limit_in_bytes=1048576",
            "memory.limit_in_bytes=1048576",
            "memory.memsw.limit_in_bytes=1048576",
            "cpu.cfs_quota_us=150000",
            "cpu.shares=1024",
            "pids.max=9",
        ];
        assert_eq!(written(CgroupVersion::V1), one);
    }

    #[test]
    fn no_limit_writes_nothing() {
        assert!(settings(Some(CgroupVersion::V2), &Limits::default()).is_empty());
        assert!(settings(Some(CgroupVersion::V1), &Limits::default()).is_empty());
    }
}
