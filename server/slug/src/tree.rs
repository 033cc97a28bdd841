//! Looks over a built tree before it is packed: how much, how many, and what cannot be in a slug.
//!
//! Reads names and sizes only and never follows a link.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::SlugError;

/// How many directories an error names.
const NAMED: usize = 5;
/// How deep the directories lie that it names.
const NAMED_DEPTH: usize = 2;

/// What a tree holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// The size of all files in bytes.
    pub(crate) bytes: u64,
    /// How many files, directories and links.
    pub(crate) entries: u64,
    /// Devices, pipes and sockets, which no slug holds.
    pub(crate) special: Vec<PathBuf>,
    sizes: BTreeMap<PathBuf, u64>,
}

impl Survey {
    /// Surveys `tree`; fails beyond `most` entries.
    pub(crate) fn of(tree: &Path, most: u64) -> Result<Self, SlugError> {
        let mut survey = Self::default();
        let mut waiting = vec![PathBuf::new()];
        while let Some(directory) = waiting.pop() {
            let path = tree.join(&directory);
            let entries = match fs::read_dir(&path) {
                // What its owner may not read, packing makes readable.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
                entries => entries.map_err(SlugError::file("read", &path))?,
            };
            for entry in entries {
                let entry = entry.map_err(SlugError::file("read", &path))?;
                let name = directory.join(entry.file_name());
                let facts = entry.metadata().map_err(SlugError::file("read", tree.join(&name)))?;
                survey.add(name, &facts, &mut waiting);
                if survey.entries > most {
                    return Err(SlugError::TooMany(most));
                }
            }
        }
        survey.special.sort();
        Ok(survey)
    }

    /// Returns the largest directories near the top, with their bytes.
    pub(crate) fn largest(&self) -> Vec<(PathBuf, u64)> {
        largest(&self.sizes)
    }

    fn add(&mut self, name: PathBuf, facts: &fs::Metadata, waiting: &mut Vec<PathBuf>) {
        self.entries += 1;
        let kind = facts.file_type();
        if kind.is_dir() {
            waiting.push(name);
        } else if kind.is_file() {
            self.bytes += facts.len();
            *self.sizes.entry(near_top(&name)).or_default() += facts.len();
        } else if !kind.is_symlink() {
            self.special.push(name);
        }
    }
}

/// Returns the directory near the top that the size of a file counts for.
pub(crate) fn near_top(file: &Path) -> PathBuf {
    let parent = file.parent().unwrap_or(Path::new(""));
    let near_top: PathBuf = parent.components().take(NAMED_DEPTH).collect();
    if near_top.as_os_str().is_empty() { PathBuf::from(".") } else { near_top }
}

/// Returns the largest of some directories.
pub(crate) fn largest(sizes: &BTreeMap<PathBuf, u64>) -> Vec<(PathBuf, u64)> {
    let mut sizes: Vec<_> = sizes.clone().into_iter().collect();
    sizes.sort_by_key(|(path, bytes)| (std::cmp::Reverse(*bytes), path.clone()));
    sizes.truncate(NAMED);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_summed_near_the_top_and_links_are_not_followed() {
        let tree = tempfile::tempdir().unwrap();
        let root = tree.path();
        fs::create_dir_all(root.join("lib/python/site/deep")).unwrap();
        fs::write(root.join("lib/python/site/deep/a"), [0; 300]).unwrap();
        fs::write(root.join("lib/python/b"), [0; 30]).unwrap();
        fs::write(root.join("c"), [0; 3]).unwrap();
        std::os::unix::fs::symlink("/usr", root.join("usr")).unwrap();

        let survey = Survey::of(root, 100).unwrap();

        assert_eq!((survey.bytes, survey.entries), (333, 8));
        assert_eq!(survey.largest(), [(PathBuf::from("lib/python"), 330), (PathBuf::from("."), 3)]);
        assert!(matches!(Survey::of(root, 7), Err(SlugError::TooMany(7))));
    }
}
