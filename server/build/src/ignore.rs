//! Removes from the source what `.slugignore` names, before anything looks at it.
//!
//! Its rules are Heroku's: one glob a line, no `!`; a leading `/` ties it to the root, else it fits at any depth.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

/// Most bytes of a `.slugignore` that are read.
pub(crate) const IGNORE_BYTES_MAX: usize = 64 * 1024;

/// What `.slugignore` asks for.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    globs: GlobSet,
    /// A sentence for each line that is not understood.
    pub(crate) warnings: Vec<String>,
}

impl Ignored {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let (mut builder, mut warnings) = (GlobSetBuilder::new(), Vec::new());
        for (index, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('!') {
                warnings.push(format!(
                    ".slugignore line {}: `!` is not known here; the line is left out",
                    index + 1
                ));
                continue;
            }
            match glob(line) {
                Ok(glob) => drop(builder.add(glob)),
                Err(error) => {
                    warnings.push(format!(".slugignore line {}: {error}; the line is left out", index + 1))
                }
            }
        }
        Self { globs: builder.build().unwrap_or_default(), warnings }
    }

    pub(crate) fn matches(&self, path: &Path) -> bool {
        self.globs.is_match(path)
    }

    /// Removes what is named below `root` and returns how many files and directories that were.
    ///
    /// Nothing may run in the tree.
    pub(crate) fn remove_from(&self, root: &Path) -> io::Result<usize> {
        let (mut removed, mut waiting) = (0, vec![PathBuf::new()]);
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(root.join(&directory))? {
                let entry = entry?;
                let (path, kind) = (directory.join(entry.file_name()), entry.file_type()?);
                if self.matches(&path) {
                    removed += 1;
                    sandbox::remove_tree(&entry.path())?;
                } else if kind.is_dir() {
                    waiting.push(path);
                }
            }
        }
        Ok(removed)
    }
}

fn glob(line: &str) -> Result<Glob, globset::Error> {
    let pattern = match line.strip_prefix('/') {
        Some(anchored) => anchored.to_owned(),
        None => format!("**/{line}"),
    };
    GlobBuilder::new(pattern.trim_end_matches('/')).literal_separator(true).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_globs_tied_to_the_root_by_a_slash() {
        let ignored = Ignored::parse(b"# docs\n\n*.psd\n/tests\ndocs/\n!keep\n");
        for (path, gone) in [
            ("a.psd", true),
            ("deep/in/b.psd", true),
            ("tests", true),
            ("lib/tests", false),
            ("lib/docs", true),
            ("keep", false),
        ] {
            assert_eq!(ignored.matches(Path::new(path)), gone, "{path}");
        }
        assert_eq!(ignored.warnings.len(), 1);
    }

    #[test]
    fn directories_go_whole_and_links_go_alone() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("kept"), "").unwrap();
        fs::create_dir_all(dir.path().join("docs/deep")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("big")).unwrap();
        fs::write(dir.path().join("app.py"), "").unwrap();
        assert_eq!(Ignored::parse(b"docs\nbig\n").remove_from(dir.path()).unwrap(), 2);
        assert!(outside.path().join("kept").exists() && dir.path().join("app.py").exists());
        assert!(!dir.path().join("docs").exists() && fs::read_link(dir.path().join("big")).is_err());
    }
}
