//! What a check found, and what to do about it.

use serde_json::{Value, json};

use crate::error::Error;
use crate::screen::{Screen, Tone};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it should be.
    Good,
    /// Works, with something to know.
    Care,
    /// Does not work.
    Failed,
}

/// The outcome of one check.
#[derive(Debug)]
pub(super) struct Finding {
    /// How it went.
    pub(super) state: State,
    what: &'static str,
    message: String,
    hint: Option<String>,
}

impl Finding {
    /// Returns a finding that is as it should be.
    pub(super) fn good(what: &'static str, message: impl Into<String>) -> Self {
        Self { state: State::Good, what, message: message.into(), hint: None }
    }

    /// Returns a finding that one should know of.
    pub(super) fn care(what: &'static str, message: impl Into<String>) -> Self {
        Self { state: State::Care, ..Self::good(what, message) }
    }

    /// Returns a finding of something that does not work.
    pub(super) fn failed(what: &'static str, message: impl Into<String>) -> Self {
        Self { state: State::Failed, ..Self::good(what, message) }
    }

    /// Returns the finding that an error is.
    pub(super) fn of(what: &'static str, error: Error) -> Self {
        Self { hint: error.hint, ..Self::failed(what, error.message) }
    }

    /// Returns the finding with what to do.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn word(&self) -> (&'static str, Tone) {
        match self.state {
            State::Good => ("ok", Tone::Good),
            State::Care => ("care", Tone::Care),
            State::Failed => ("FAIL", Tone::Bad),
        }
    }

    /// Returns it as data.
    pub(super) fn json(&self) -> Value {
        let state = self.word().0.to_lowercase();
        json!({ "check": self.what, "state": state, "message": self.message, "hint": self.hint })
    }

    /// Returns its lines.
    pub(super) fn text(&self, screen: &Screen) -> String {
        let (word, tone) = self.word();
        let pad = " ".repeat(4 - word.len());
        let hint = self.hint.as_deref().map(|hint| format!("\n      {hint}")).unwrap_or_default();
        format!("{}{pad}  {:<8}  {}{hint}", screen.paint(tone, word), self.what, self.message)
    }
}
