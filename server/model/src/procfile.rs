//! Reads a Procfile. Of the dialects in use it accepts what all agree on, and says by line what it left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::ProcessType;

/// The command line of each process type.
pub type ProcessTable = BTreeMap<ProcessType, String>;

/// Most bytes of a Procfile that are read.
pub const PROCFILE_BYTES_MAX: usize = 64 * 1024;

/// A Procfile as read, with what a reader should know about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Procfile {
    /// The process types it declares.
    pub types: ProcessTable,
    /// One sentence for each line that was left out or overruled.
    pub warnings: Vec<String>,
}

/// Why a Procfile cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcfileError {
    /// Left-over marks of a merge.
    #[error("Procfile line {0} is a merge conflict marker")]
    Conflict(usize),
    /// A type without a command.
    #[error("Procfile line {0}: `{1}` has no command")]
    NoCommand(usize, ProcessType),
    /// A line that was meant as a process and is not written as one; the second is how it may be meant.
    #[error("Procfile line {0} is not `TYPE: COMMAND`")]
    Malformed(usize, String),
    /// Lines, and not one of them declares a process; the number is the first one's.
    #[error("no line of the Procfile is `TYPE: COMMAND`; line {0} is the first that should be")]
    NoProcess(usize),
    /// No lines but blank ones and comments.
    #[error("the Procfile is empty, so that nothing says what to run")]
    Empty,
    /// Absurdly large.
    #[error("the Procfile has {0} bytes; at most {PROCFILE_BYTES_MAX} are read")]
    TooLong(usize),
}

impl ProcfileError {
    /// Returns what helps, as a sentence without its full stop.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Conflict(_) => "resolve the conflict and commit again".to_owned(),
            Self::NoCommand(_, process) => format!("write `{process}: COMMAND`"),
            Self::Malformed(_, meant) => {
                format!("write `{meant}`, or start the line with # if it is a comment")
            }
            Self::NoProcess(_) => "write a line such as `web: COMMAND`; # starts a comment".to_owned(),
            Self::Empty => {
                "write a line such as `web: COMMAND`, or remove the file to run what the buildpack offers"
                    .to_owned()
            }
            Self::TooLong(_) => "move what is long into a script that a line names".to_owned(),
        }
    }
}

impl Procfile {
    /// Reads a Procfile: `TYPE: COMMAND` a line; `#` starts a comment line; a later line overrules an earlier one.
    /// Prose between such lines is left out with a warning.
    ///
    /// # Errors
    /// Conflict markers, a type without a command, a line that seems to be meant as a process, no process at all,
    /// and more than [`PROCFILE_BYTES_MAX`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProcfileError> {
        if bytes.len() > PROCFILE_BYTES_MAX {
            return Err(ProcfileError::TooLong(bytes.len()));
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines = text.split('\n').enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
        let Some((first, _)) = lines.first() else { return Err(ProcfileError::Empty) };
        let mut procfile = Self::default();
        for (number, line) in &lines {
            procfile.take_line(*number, line)?;
        }
        if procfile.types.is_empty() { Err(ProcfileError::NoProcess(*first)) } else { Ok(procfile) }
    }

    fn take_line(&mut self, number: usize, line: &str) -> Result<(), ProcfileError> {
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") || line == "=======" {
            return Err(ProcfileError::Conflict(number));
        }
        let entry = line.split_once(':').and_then(|(name, command)| Some((name.parse().ok()?, command)));
        let Some((process, command)): Option<(ProcessType, &str)> = entry else {
            if let Some(meant) = meant(line) {
                return Err(ProcfileError::Malformed(number, meant));
            }
            self.warnings.push(format!("Procfile line {number} is not `TYPE: COMMAND` and was left out"));
            return Ok(());
        };
        let command = command.replace('\0', "");
        let command = command.trim();
        if command.is_empty() {
            return Err(ProcfileError::NoCommand(number, process));
        }
        self.warn_of_case(number, &process);
        if self.types.insert(process.clone(), command.to_owned()).is_some() {
            self.warnings.push(format!("Procfile line {number} overrules an earlier line for `{process}`"));
        }
        Ok(())
    }

    /// Warns of `WEB`, which is a type like any other.
    fn warn_of_case(&mut self, number: usize, process: &ProcessType) {
        let lower = process.as_str().to_ascii_lowercase();
        let role = match lower.as_str() {
            "web" => "is what the router serves",
            "release" => "runs before a release",
            _ => return,
        };
        if lower != process.as_str() {
            self.warnings.push(format!(
                "Procfile line {number} declares `{process}`; types are case-sensitive, and only `{lower}` {role}"
            ));
        }
    }
}

/// Types that apps have by these names, so that a line which starts with one is hardly prose.
const USUAL: [&str; 6] = ["web", "worker", "release", "clock", "scheduler", "beat"];

/// Most characters of a line that are repeated to its author.
const REPEATED_MAX: usize = 200;

/// Returns how a line that declares no process was probably meant; nothing if it looks like prose.
fn meant(line: &str) -> Option<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let (name, rest) = line.split_at(line.find(|c| !is_of_name(c)).unwrap_or(line.len()));
    let is_between = |c: char| c.is_whitespace() || "=:;,\"'>-".contains(c);
    let is_usual = USUAL.contains(&name.to_ascii_lowercase().as_str());
    let (process, command) = if is_usual && rest.chars().next().is_none_or(is_between) {
        (name.to_ascii_lowercase(), rest)
    } else {
        // One word before the colon is a name, more of them are a sentence.
        let (name, command) = line.split_once(':')?;
        let name = name.trim_matches(|c: char| !c.is_alphanumeric());
        let fits = |c: char| if is_of_name(c) { c } else { '-' };
        (
            if name.contains(char::is_whitespace) { return None } else { name.chars().map(fits).collect() },
            command,
        )
    };
    let process: ProcessType = process.trim_matches('-').chars().take(63).collect::<String>().parse().ok()?;
    let command = crate::wording::plain(command, REPEATED_MAX);
    let command = command.trim_start_matches(is_between);
    let command = if command.is_empty() { "COMMAND" } else { command };
    Some(crate::wording::plain(&format!("{process}: {command}"), REPEATED_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_and_commands_are_read_and_the_rest_is_explained() {
        let text = b"\xef\xbb\xbf# apps\r\nweb: gunicorn app:app --bind :$PORT # keep\r\n\r\nthis is prose\nworker:python w.py\nweb: b\n";
        let procfile = Procfile::parse(text).unwrap();
        let types: Vec<_> = procfile.types.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(types, [("web", "b"), ("worker", "python w.py")]);
        assert_eq!(procfile.warnings.len(), 2);
        assert!(procfile.warnings[0].contains("line 4"), "{:?}", procfile.warnings);
    }

    #[test]
    fn conflict_markers_and_missing_commands_are_errors() {
        assert_eq!(Procfile::parse(b"web: a\n<<<<<<< HEAD\n"), Err(ProcfileError::Conflict(2)));
        for nothing in ["web:\n", "web: \0\n", "web: \0 \0\n"] {
            assert!(matches!(Procfile::parse(nothing.as_bytes()), Err(ProcfileError::NoCommand(1, _))));
        }
    }

    #[test]
    fn a_file_in_which_nothing_declares_a_process_is_an_error() {
        for text in ["", "\n \r\n", "# web: a\n"] {
            assert_eq!(Procfile::parse(text.as_bytes()), Err(ProcfileError::Empty), "{text:?}");
        }
        assert_eq!(Procfile::parse(b"\nThis app has no\nprocesses yet\n"), Err(ProcfileError::NoProcess(2)));
    }

    #[test]
    fn a_line_that_was_meant_as_a_process_is_an_error_that_shows_it_mended() {
        for (line, mended) in [
            ("web gunicorn app:app -b :$PORT", "web: gunicorn app:app -b :$PORT"),
            ("web\tgunicorn app", "web: gunicorn app"),
            ("web=gunicorn app", "web: gunicorn app"),
            ("WEB gunicorn app", "web: gunicorn app"),
            ("web : gunicorn app:app", "web: gunicorn app:app"),
            ("- web: gunicorn", "web: gunicorn"),
            ("\"web\": gunicorn", "web: gunicorn"),
            ("web.1: gunicorn", "web-1: gunicorn"),
            ("mail.sender: python m.py", "mail-sender: python m.py"),
            ("wörker: x", "w-rker: x"),
            ("worker", "worker: COMMAND"),
            ("web \u{1}\u{2}", "web: COMMAND"),
        ] {
            let text = format!("other: b\n{line}\n");
            let found = Procfile::parse(text.as_bytes());
            assert_eq!(found, Err(ProcfileError::Malformed(2, mended.to_owned())), "{line}");
            assert!(Procfile::parse(format!("other: b\n{mended}\n").as_bytes()).is_ok(), "{mended}");
        }
        let hint = Procfile::parse(b"web gunicorn").unwrap_err().hint();
        assert!(hint.starts_with("write `web: gunicorn`, or"), "{hint}");
    }

    #[test]
    fn a_type_that_is_web_but_for_its_case_is_kept_with_a_warning() {
        let procfile = Procfile::parse(b"WEB: a\nweb: b\nWorker: c\n").unwrap();
        assert_eq!(procfile.types.len(), 3);
        let warned = "Procfile line 1 declares `WEB`; types are case-sensitive, and only `web` is what the router serves";
        assert_eq!(procfile.warnings, [warned]);
    }

    proptest! {
        #[test]
        fn no_input_panics_and_commands_have_no_line_ends(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(procfile) = Procfile::parse(&bytes) {
                prop_assert!(procfile.types.values().all(|c| !c.contains('\n') && !c.contains('\0')));
            }
        }
    }
}
