//! What may lie in a data directory when nothing is under way.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::ledger::Ledger;

/// Paths below the directory; a directory that is named has nothing else in it. `*` is any one name, `**` anything below,
/// and the words in angles are ids that the database must know.
const ALLOWED: &[&str] = &[
    "admin-token",
    "secret-key",
    "lock",
    "paas.db",
    "paas.db-shm",
    "paas.db-wal",
    "agent/blank-disk.img",
    "agent/busy",
    "agent/desired",
    "agent/engine",
    "agent/etc/**",
    "agent/lock",
    "agent/minutes",
    "agent/replicas/<replica>/disk.img",
    "agent/replicas/<replica>/disk/**",
    "agent/replicas/<replica>/lock",
    "agent/replicas/<replica>/memory-limit",
    "agent/replicas/<replica>/output.position",
    "agent/replicas/<replica>/run.json",
    "agent/replicas/<replica>/spec.json",
    "agent/replicas/<replica>/state.json",
    "agent/replicas/<replica>/supervisor.log",
    "agent/slugs/<image>/image/**",
    "agent/slugs/<image>/*/**",
    "blobs/slugs/<image>.squashfs",
    "builds/<build>/log",
    "buildpacks/**",
    "cache/<app>/**",
    "logs/<app>/*",
    "repos/<app>.git/**",
    "repos/.hooks/pre-receive",
    "repos/occupied",
    "run/addresses.json",
    "run/ballast",
    "run/etc/**",
    "run/keeper.log",
    "run/sockets.sock",
    "run/visitors",
    "tools/**",
];

/// What git has only while it is at something, and the server's references of pushes and builds.
fn is_passing(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("repos/")
        && (name.ends_with(".lock")
            || name.starts_with("tmp_")
            || name.starts_with(".tmp")
            || name.contains("incoming")
            || path.contains("/refs/paas/builds/")
            || path.contains("/refs/paas/incoming/"))
}

/// Returns what should not be there.
pub(super) fn judge(data: &Path, ledger: &Ledger) -> Result<(), String> {
    let mut paths = Vec::new();
    list(data, data, &mut paths);
    let apps: BTreeSet<String> = ledger.apps.keys().cloned().collect();
    let replicas: BTreeSet<String> = ledger.replicas.keys().cloned().collect();
    let knows = |kind: &str, id: &str| match kind {
        "<app>" => apps.contains(id),
        "<build>" => ledger.builds.contains(id),
        "<image>" => ledger.images.contains(id),
        "<replica>" => replicas.contains(id),
        other => panic!("{other} is no kind of id"),
    };
    let allowed = |path: &String| ALLOWED.iter().any(|pattern| is_like(path, pattern, &knows));
    let left: Vec<_> = paths.iter().filter(|path| !allowed(path) || is_passing(path)).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left in the data directory: {left:#?}")) }
}

/// Lists files, and directories with nothing in them.
fn list(root: &Path, dir: &Path, into: &mut Vec<String>) {
    let entries: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().collect();
    let own = || dir.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    // The places of things may be empty; what is made for one thing may not.
    let is_place = |path: &str| path.matches('/').count() < 2 || path.contains("/refs/");
    if entries.is_empty() && !is_place(&own()) {
        into.push(own() + "/");
    }
    for entry in entries {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let path = entry.path();
        // What a replica sees and writes is its own.
        let is_replicas = ["disk", "app", "image"].iter().any(|name| entry.file_name() == *name);
        if is_dir && !is_replicas {
            list(root, &path, into);
        } else {
            let path = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            into.push(if is_dir { path + "/" } else { path });
        }
    }
}

fn is_like(path: &str, pattern: &str, knows: &impl Fn(&str, &str) -> bool) -> bool {
    let mut names = path.split('/');
    for part in pattern.split('/') {
        if part == "**" {
            return true;
        }
        let Some(name) = names.next().filter(|name| !name.is_empty()) else { return false };
        let fits = match part.split_once('>') {
            Some((kind, suffix)) => {
                name.strip_suffix(suffix).is_some_and(|id| knows(&format!("{kind}>"), id))
            }
            None => part == "*" || part == name,
        };
        if !fits {
            return false;
        }
    }
    names.next().is_none()
}
