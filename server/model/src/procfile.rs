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
    #[error("Procfile line {0} is a merge conflict marker; resolve the conflict and commit again")]
    Conflict(usize),
    /// A type without a command.
    #[error("Procfile line {0}: `{1}` has no command; write `{1}: COMMAND`")]
    NoCommand(usize, ProcessType),
    /// Absurdly large.
    #[error("the Procfile has {0} bytes; at most {PROCFILE_BYTES_MAX} are read")]
    TooLong(usize),
}

impl Procfile {
    /// Reads a Procfile: `TYPE: COMMAND` a line; `#` starts a comment line; a later line overrules an earlier one.
    ///
    /// # Errors
    /// Conflict markers, a type without a command, and more than [`PROCFILE_BYTES_MAX`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProcfileError> {
        if bytes.len() > PROCFILE_BYTES_MAX {
            return Err(ProcfileError::TooLong(bytes.len()));
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut procfile = Self::default();
        for (index, line) in text.split('\n').enumerate() {
            procfile.take_line(index + 1, line.trim())?;
        }
        Ok(procfile)
    }

    fn take_line(&mut self, number: usize, line: &str) -> Result<(), ProcfileError> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") || line == "=======" {
            return Err(ProcfileError::Conflict(number));
        }
        let entry = line.split_once(':').and_then(|(name, command)| Some((name.parse().ok()?, command)));
        let Some((process, command)): Option<(ProcessType, &str)> = entry else {
            self.warnings.push(format!("Procfile line {number} is not `TYPE: COMMAND` and was left out"));
            return Ok(());
        };
        let command: String = command.trim().chars().filter(|c| *c != '\0').collect();
        if command.is_empty() {
            return Err(ProcfileError::NoCommand(number, process));
        }
        if self.types.insert(process.clone(), command).is_some() {
            self.warnings.push(format!("Procfile line {number} overrules an earlier line for `{process}`"));
        }
        Ok(())
    }
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
        assert!(matches!(Procfile::parse(b"web:\n"), Err(ProcfileError::NoCommand(1, _))));
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
