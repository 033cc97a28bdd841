//! The names of the files of a source tree, bounded. Links are not followed and nothing is opened but directories.

use std::path::Path;

/// Most entries that are listed.
pub const LISTED_MAX: usize = 5_000;

/// How many directories deep a listing goes.
const DEPTH_MAX: usize = 3;

/// The files of a source tree by their paths from its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Paths, those nearest the root first, else in the order of the alphabet.
    pub paths: Vec<String>,
}

impl Listing {
    /// Lists a directory: at most [`LISTED_MAX`] entries, three directories deep. What cannot be read is left out.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        let mut paths = Vec::new();
        let mut level = vec![String::new()];
        for _ in 0..DEPTH_MAX {
            let mut next = Vec::new();
            for directory in level {
                list(root, &directory, &mut paths, &mut next);
            }
            level = next;
        }
        Self { paths }
    }

    /// Returns the names of the files in the root.
    pub fn root(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str).filter(|path| !path.contains('/'))
    }
}

/// Directories whose content is not the app's own.
const FOREIGN: [&str; 6] = [".git", "node_modules", "vendor", "__pycache__", ".venv", "venv"];

fn list(root: &Path, directory: &str, paths: &mut Vec<String>, next: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(root.join(directory)) else { return };
    let mut found: Vec<_> = entries
        .flatten()
        .take(LISTED_MAX)
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.file_type().ok()?)))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, kind) in found {
        let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
        if kind.is_dir() && !FOREIGN.contains(&name.as_str()) && next.len() < LISTED_MAX {
            next.push(path);
        } else if kind.is_file() && paths.len() < LISTED_MAX {
            paths.push(path);
        }
    }
}
