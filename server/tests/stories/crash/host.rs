//! What of a data directory may be on the host beside its files: processes, mounts, loop devices, cgroups.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::containers;
use super::ledger::Ledger;
use crate::platform::engine;

/// Returns what should not be there.
pub(super) fn judge(data: &Path, server: u32, ledger: &Ledger) -> Result<(), String> {
    let data = data.canonicalize().unwrap();
    processes(&data, server, ledger)?;
    mounts(&data, ledger)?;
    loops(&data, ledger)?;
    if engine() == "docker" {
        containers::judge(&data, ledger)?;
    }
    cgroups(&data, ledger)
}

/// One process as `/proc` shows it.
struct Process {
    parent: u32,
    words: String,
    /// It has the directory in its arguments, among its open files, as its place, or in the name of its cgroup.
    ours: bool,
}

fn marks(data: &Path) -> [String; 2] {
    [data.join("agent"), data.join("run/etc")].map(|dir| sandbox::mark(&dir))
}

fn all_processes(data: &Path) -> BTreeMap<u32, Process> {
    let marks = marks(data);
    let process = |pid: u32| {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let words = String::from_utf8_lossy(&fs::read(dir.join("cmdline")).ok()?).replace('\0', " ");
        let status = fs::read_to_string(dir.join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        // What has ended and is not collected holds nothing.
        if field("State:").trim().starts_with('Z') {
            return None;
        }
        let groups = fs::read_to_string(dir.join("cgroup")).unwrap_or_default();
        let open = fs::read_dir(dir.join("fd")).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut links = open.chain([dir.join("cwd")]).filter_map(|link| fs::read_link(link).ok());
        let ours = words.contains(data.to_str()?)
            || marks.iter().any(|mark| groups.contains(mark))
            || links.any(|link| link.starts_with(data));
        Some(Process { parent: field("PPid:").trim().parse().ok()?, words, ours })
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, process(pid)?))).collect()
}

fn processes(data: &Path, server: u32, ledger: &Ledger) -> Result<(), String> {
    let all = all_processes(data);
    // Those of a container are the daemon's, and it knows them.
    if engine() == "docker" {
        return no_orphans(&all, |pid, process| pid == server || is_keeper(process));
    }
    let supervisors: BTreeSet<u32> = ledger.replicas.keys().filter_map(|id| supervisor(data, id)).collect();
    if supervisors.len() != ledger.replicas.len() || !supervisors.iter().all(|pid| all.contains_key(pid)) {
        return Err(format!("{} replicas have the supervisors {supervisors:?}", ledger.replicas.len()));
    }
    let is_supervised = |mut pid: u32| loop {
        match all.get(&pid) {
            _ if supervisors.contains(&pid) => return true,
            Some(process) => pid = process.parent,
            None => return false,
        }
    };
    no_orphans(&all, |pid, process| pid == server || is_keeper(process) || is_supervised(pid))
}

fn is_keeper(process: &Process) -> bool {
    process.words.contains(" keep-sockets ")
}

fn no_orphans(all: &BTreeMap<u32, Process>, is_known: impl Fn(u32, &Process) -> bool) -> Result<(), String> {
    let keepers = all.values().filter(|process| process.ours && is_keeper(process)).count();
    let orphans: Vec<_> = all
        .iter()
        // The test writes the server's log and started git.
        .filter(|(pid, process)| process.ours && **pid != std::process::id() && !is_known(**pid, process))
        .map(|(pid, process)| format!("{pid} (of {}): {}", process.parent, process.words))
        .collect();
    if keepers != 1 || !orphans.is_empty() {
        return Err(format!("{keepers} processes keep the sockets; orphans: {orphans:#?}"));
    }
    Ok(())
}

/// Returns the process that a replica ends with: its supervisor, or the first of its container.
pub(super) fn supervisor(data: &Path, replica: &str) -> Option<u32> {
    if engine() == "docker" {
        return containers::first_process(data, replica);
    }
    let file = fs::read(data.join("agent/replicas").join(replica).join("run.json")).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&file).ok()?;
    u32::try_from(json["pid"].as_u64()?).ok()
}

/// Returns the process that keeps the sockets.
pub(super) fn keeper(data: &Path) -> Option<u32> {
    let data = data.canonicalize().unwrap();
    let all = all_processes(&data);
    all.into_iter().find(|(_, process)| process.ours && is_keeper(process)).map(|(pid, _)| pid)
}

fn mounts(data: &Path, ledger: &Ledger) -> Result<(), String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = table.lines().filter_map(|line| Path::new(line.split(' ').nth(4)?).strip_prefix(data).ok());
    let mut replicas = BTreeMap::<String, u32>::new();
    for point in points {
        let names: Vec<&str> = point.iter().filter_map(|name| name.to_str()).collect();
        match names.as_slice() {
            ["agent", "replicas", id, ..] if ledger.replicas.contains_key(*id) => {
                *replicas.entry((*id).to_owned()).or_default() += 1;
            }
            ["agent", "slugs", digest, _] if ledger.images.contains(*digest) => {}
            _ => return Err(format!("{} is mounted", point.display())),
        }
    }
    // A disk, and the slug with what is written over it.
    if replicas.len() != ledger.replicas.len() || replicas.values().any(|mounts| *mounts != 2) {
        return Err(format!("mounts by replica: {replicas:?}"));
    }
    Ok(())
}

fn loops(data: &Path, ledger: &Ledger) -> Result<(), String> {
    let devices = fs::read_dir("/sys/block").unwrap().flatten();
    let files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    let ours: Vec<String> =
        files.filter_map(|file| Some(file.trim().strip_prefix(data.to_str()?)?.to_owned())).collect();
    let disks = ours.iter().filter(|file| file.ends_with("/disk.img")).count();
    let images: BTreeSet<_> = ours.iter().filter(|file| file.ends_with(".squashfs")).collect();
    if disks != ledger.replicas.len() || disks + images.len() != ours.len() {
        return Err(format!("{} replicas, and loop devices of {ours:?}", ledger.replicas.len()));
    }
    Ok(())
}

fn cgroups(data: &Path, ledger: &Ledger) -> Result<(), String> {
    let marks = marks(data);
    let generated = tempfile::tempdir().unwrap();
    let support = sandbox::HostFacts::detect(generated.path()).unwrap().cgroups;
    for name in sandbox::Cgroup::all(&support) {
        let ours = marks.iter().any(|mark| name.contains(mark));
        if ours && !ledger.replicas.keys().any(|id| name.ends_with(id.as_str())) {
            return Err(format!("the cgroup {name} is left"));
        }
    }
    Ok(())
}
