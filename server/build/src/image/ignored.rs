//! What `.dockerignore` keeps out of an image, by Docker's rules: patterns from the root, `**` for any directories, `!` for an
//! exception, and of those that fit the last one counts.

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};

/// Most bytes of a `.dockerignore`, and most patterns: each is tried on each file.
pub(crate) const IGNORE_BYTES_MAX: usize = 64 * 1024;
const PATTERNS_MAX: usize = 1_000;

/// The patterns of a `.dockerignore`.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    patterns: Vec<Pattern>,
    /// A sentence for each line that is not understood.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug)]
struct Pattern {
    glob: GlobMatcher,
    exception: bool,
}

impl Ignored {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut ignored = Self::default();
        let text = String::from_utf8_lossy(bytes);
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty()) {
            let line = line.trim();
            let (exception, pattern) = match line.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, line),
            };
            let pattern: Vec<_> =
                pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            match GlobBuilder::new(&pattern.join("/")).literal_separator(true).backslash_escape(true).build()
            {
                _ if pattern.is_empty() => {}
                _ if ignored.patterns.len() == PATTERNS_MAX => {
                    ignored.warnings.push(format!(
                        ".dockerignore has more than {PATTERNS_MAX} patterns; the rest is left out"
                    ));
                    break;
                }
                Ok(glob) => ignored.patterns.push(Pattern { glob: glob.compile_matcher(), exception }),
                Err(error) => ignored
                    .warnings
                    .push(format!(".dockerignore line {}: {error}; the line is left out", index + 1)),
            }
        }
        ignored
    }

    /// Tells whether a path is kept out, by itself or with a directory that it lies in.
    pub(crate) fn has(&self, path: &Path) -> bool {
        let fits = |pattern: &&Pattern| {
            let mut places = path.ancestors().filter(|place| !place.as_os_str().is_empty());
            places.any(|place| pattern.glob.is_match(place))
        };
        self.patterns.iter().rev().find(fits).is_some_and(|pattern| !pattern.exception)
    }

    /// Tells whether nothing in a directory that is kept out can be an exception.
    pub(crate) fn is_final(&self) -> bool {
        self.patterns.iter().all(|pattern| !pattern.exception)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_begin_at_the_root_and_the_last_that_fits_counts() {
        let ignored = Ignored::parse(b"# comment\n*.md\n!README.md\n/docs/\n**/*.log\ntemp?\n./a/b\n");
        for (path, kept_out) in [
            ("x.md", true),
            ("README.md", false),
            ("deep/x.md", false),
            ("docs/deep/page", true),
            ("lib/docs/page", false),
            ("x.log", true),
            ("a/c/x.log", true),
            ("temp1/file", true),
            ("temp", false),
            ("a/b/c", true),
        ] {
            assert_eq!(ignored.has(Path::new(path)), kept_out, "{path}");
        }
        assert!(!ignored.is_final() && ignored.warnings.is_empty());
    }

    #[test]
    fn an_exception_brings_back_what_a_directory_took_along() {
        let ignored = Ignored::parse(b"*\n!src\n!Dockerfile\nsrc/secret\n");
        let kept_out = |path| ignored.has(Path::new(path));
        assert!(
            kept_out("other/file")
                && kept_out("src/secret")
                && !kept_out("src/main")
                && !kept_out("Dockerfile")
        );
    }

    #[test]
    fn a_line_that_is_no_pattern_is_told_and_left_out() {
        let ignored = Ignored::parse(b"[a\n/\n\nb\n");
        assert_eq!(ignored.warnings.len(), 1, "{:?}", ignored.warnings);
        assert!(ignored.has(Path::new("b")));
    }
}
