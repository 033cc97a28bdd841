//! A repository as it is at one moment, beside a server that works in it: what a backup holds of an app's repository.
//!
//! References are read before objects, and what they name is there by then. Objects get a second name in the snapshot, so
//! that maintenance takes none away. Settings and hooks are the server's and made anew, never copied.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::process::Group;
use crate::push::INCOMING;
use crate::{ObjectId, command};

/// How often it is tried again while maintenance moves objects.
const TRIES: usize = 100;

/// How long a walk through the whole history may take.
const WALK: Duration = Duration::from_secs(30 * 60);

/// The file with the references, a hash and a name a line.
pub(crate) const REFERENCES: &str = "references";
pub(crate) const HEAD: &str = "head";
pub(crate) const SHALLOW: &str = "shallow";

/// A repository at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// What it consists of: a name of up to three pieces, and the file.
    pub files: Vec<(String, PathBuf)>,
}

/// Takes a snapshot of the repository into an empty directory on the same file system. Blocks.
///
/// # Errors
/// There is no repository, it changed all the time, or a file cannot be read.
pub fn snapshot(repository: &Path, into: &Path) -> anyhow::Result<Snapshot> {
    for part in ["refs", "objects/pack"] {
        fs::create_dir_all(into.join(part))?;
    }
    let head = fs::read_to_string(repository.join("HEAD")).context("there is no repository")?;
    fs::write(into.join("HEAD"), &head)?;
    fs::write(into.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
    let references = references(repository)?;
    let packed = references.iter().map(|(name, target)| format!("{target} {name}\n")).collect::<String>();
    fs::write(into.join("packed-refs"), &packed)?;
    fs::write(into.join(REFERENCES), packed)?;
    let mut files =
        vec![(HEAD.to_owned(), into.join("HEAD")), (REFERENCES.to_owned(), into.join(REFERENCES))];
    match fs::read(repository.join("shallow")) {
        Ok(ends) => {
            fs::write(into.join(SHALLOW), ends)?;
            files.push((SHALLOW.to_owned(), into.join(SHALLOW)));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).context("cannot read where the history ends"),
    }
    for name in objects(repository, into)? {
        let path = into.join("objects").join(name.strip_prefix("loose/").unwrap_or(&name));
        files.push((name, path));
    }
    Ok(Snapshot { files })
}

/// Walks through all that the references of a snapshot name.
///
/// # Errors
/// Something is missing or damaged, or it took too long.
pub async fn walk(snapshot: &Path) -> anyhow::Result<()> {
    let mut command = command::git(snapshot);
    command.args(["-c", "safe.directory=*", "rev-list", "--objects", "--all", "--quiet"]);
    command.current_dir(snapshot).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut group = Group::spawn(&mut command).context("could not run git rev-list")?;
    match tokio::time::timeout(WALK, group.finish()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(words)) => bail!("{words}"),
        Err(_) => {
            group.terminate().await;
            bail!("the history could not be walked through within {} minutes", WALK.as_secs() / 60)
        }
    }
}

/// Loose references come first: one that is packed meanwhile is found among the packed ones.
fn references(repository: &Path) -> anyhow::Result<BTreeMap<String, ObjectId>> {
    let mut loose = BTreeMap::new();
    read_loose(repository, Path::new("refs"), &mut loose)?;
    let packed = match fs::read_to_string(repository.join("packed-refs")) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        packed => packed.context("cannot read the packed references")?,
    };
    let mut all: BTreeMap<String, ObjectId> = packed.lines().filter_map(line).collect();
    all.extend(loose);
    // A push that is under way has references of its own.
    all.retain(|name, _| !name.starts_with(INCOMING));
    Ok(all)
}

/// Reads a line of git's file of packed references, or of a snapshot's.
pub(crate) fn line(line: &str) -> Option<(String, ObjectId)> {
    let (target, name) = line.split_once(' ')?;
    Some((name.to_owned(), target.parse().ok()?))
}

fn read_loose(root: &Path, below: &Path, found: &mut BTreeMap<String, ObjectId>) -> io::Result<()> {
    for entry in present(fs::read_dir(root.join(below)))?.into_iter().flatten() {
        let entry = entry?;
        let name = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            read_loose(root, &name, found)?;
        } else if name.extension() != Some(OsStr::new("lock"))
            && let Some(text) = present(fs::read_to_string(entry.path()))?
            && let (Some(name), Ok(target)) = (name.to_str(), text.trim_end().parse())
        {
            found.insert(name.to_owned(), target);
        }
    }
    Ok(())
}

/// What is gone by now is none.
fn present<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives all objects a second name. Returns their names in the snapshot. A listing can miss what is moved while it is
/// made, so it is done when two in a row found everything in its place.
fn objects(repository: &Path, into: &Path) -> anyhow::Result<BTreeSet<String>> {
    let (from, to) = (repository.join("objects"), into.join("objects"));
    let (mut linked, mut calm) = (BTreeSet::new(), 0);
    for _ in 0..TRIES {
        calm += 1;
        for name in listing(&from)?.difference(&linked.clone()) {
            let place = name.strip_prefix("loose/").unwrap_or(name);
            if let Some(folder) = to.join(place).parent() {
                fs::create_dir_all(folder)?;
            }
            match present(fs::hard_link(from.join(place), to.join(place))) {
                Ok(None) => calm = 0,
                Ok(Some(())) => drop(linked.insert(name.clone())),
                Err(error) => return Err(error).context("cannot give an object a second name"),
            }
        }
        if calm == 2 {
            // A pack whose index was gone before it could be linked is in a newer one.
            let both = |name: &String| match name.rsplit_once('.') {
                Some((pack, _)) => {
                    ["pack", "idx"].iter().all(|kind| linked.contains(&format!("{pack}.{kind}")))
                }
                None => true,
            };
            return Ok(linked.iter().filter(|name| both(name)).cloned().collect());
        }
    }
    bail!("the repository changed all the time")
}

/// Loose objects come first: one that is packed meanwhile is found among the packs.
fn listing(objects: &Path) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(objects)? {
        let fan = entry?.file_name();
        let Some(fan) = fan.to_str().filter(|fan| is_hex(fan, 2)) else { continue };
        for entry in present(fs::read_dir(objects.join(fan)))?.into_iter().flatten() {
            let name = entry?.file_name();
            names.extend(
                name.to_str().filter(|name| is_hex(name, 38)).map(|name| format!("loose/{fan}/{name}")),
            );
        }
    }
    let mut packs: BTreeMap<String, usize> = BTreeMap::new();
    for entry in present(fs::read_dir(objects.join("pack")))?.into_iter().flatten() {
        let name = entry?.file_name();
        if let Some((pack, _)) = name.to_str().and_then(pack_part) {
            *packs.entry(pack.to_owned()).or_default() += 1;
        }
    }
    // A pack is there when its index is; one without is just coming or going.
    let whole = packs.into_iter().filter(|(_, parts)| *parts == 2).map(|(pack, _)| pack);
    names.extend(whole.flat_map(|pack| [format!("pack/{pack}.pack"), format!("pack/{pack}.idx")]));
    Ok(names)
}

/// Returns the name and the kind of a file that is a pack or its index.
pub(crate) fn pack_part(name: &str) -> Option<(&str, &str)> {
    let (pack, kind) = name.rsplit_once('.')?;
    let named = pack.strip_prefix("pack-").is_some_and(|hash| is_hex(hash, 40));
    (named && matches!(kind, "pack" | "idx")).then_some((pack, kind))
}

pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
