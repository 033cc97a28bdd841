//! What went wrong, for the person at the terminal: a sentence, what helps, and the exit status that follows. It
//! never holds a token or the value of a config var.

use std::fmt::Write as _;
use std::io;

/// The outcome of everything that can fail here.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller may decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command line makes no sense.
    Usage,
    /// The server answered with an error.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What was not found, such as `app`.
        resource: String,
    },
    /// The server did not answer.
    Unreachable,
    /// Who reads our output has gone.
    ClosedOutput,
    /// Anything else.
    Failed,
}

/// A failure and what helps.
#[derive(Debug)]
pub(crate) struct Error {
    /// What kind it is.
    pub(crate) kind: Kind,
    /// A sentence in lower case without a full stop.
    pub(crate) message: String,
    /// What to do, in whole sentences.
    pub(crate) hint: Option<String>,
}

impl Error {
    /// Returns an error of a command that could not do its work.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, message: message.into(), hint: None }
    }

    /// Returns an error of the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::failed(message) }
    }

    /// Returns the error with what helps, unless it already says so.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert(hint.into());
        self
    }

    /// Returns what the server does not know, such as `app`, if that is the error.
    pub(crate) fn not_found(&self) -> Option<&str> {
        match &self.kind {
            Kind::Refused { status: 404, resource, .. } => Some(resource),
            _ => None,
        }
    }

    /// Tells whether it is worth to ask again: nobody answered, or a proxy in between answered for the server.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Unreachable | Kind::Refused { status: 502..=504, .. })
    }

    /// Returns the exit status: 1 refused or failed, 2 wrong usage.
    pub(crate) fn exit_status(&self) -> u8 {
        match self.kind {
            Kind::Usage => 2,
            Kind::ClosedOutput => 0,
            _ => 1,
        }
    }

    /// Returns the lines for the terminal, without control characters.
    pub(crate) fn text(&self, label: &str) -> String {
        let mut text = format!("{label} {}", indented(&self.message));
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n  Hint: {}", indented(hint));
        }
        text
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().map(|line| model::wording::plain(line, 2_000)).collect();
    lines.join("\n  ")
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Self { kind: Kind::ClosedOutput, ..Self::failed("nobody reads the output") }
            }
            _ => Self::failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_from_a_server_cannot_steer_the_terminal() {
        let error = Error::failed("no \u{1b}[2Japp\nsecond").hint("Try\u{7} again.");
        assert_eq!(error.text("Error:"), "Error: no [2Japp\n  second\n  Hint: Try again.");
    }
}
