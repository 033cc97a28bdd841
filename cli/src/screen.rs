//! Writes to the person or program in front of us: data to stdout, status to stderr, colours only where they show.

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use serde_json::Value;

use crate::environment;
use crate::error::Result;

/// What a piece of text means; the colour follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Ordinary text.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// On its way, or worth a look.
    Care,
    /// Failed.
    Bad,
    /// A name to look for.
    Name,
    /// Less important.
    Faint,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\u{1b}[32m",
            Self::Care => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Name => "\u{1b}[36m",
            Self::Faint => "\u{1b}[2m",
        }
    }

    /// Returns the text in this tone.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        if colour && self != Self::Plain {
            format!("{}{text}\u{1b}[0m", self.code())
        } else {
            text.to_owned()
        }
    }
}

/// The terminal, or whatever stands in its place.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    /// Characters in a line; without a terminal there is no limit.
    pub(crate) width: usize,
    /// Whether stdout is a terminal.
    pub(crate) interactive: bool,
    /// Whether stdout shows colours.
    pub(crate) colour: bool,
    /// Whether stderr shows colours.
    pub(crate) status_colour: bool,
    fixed_now: Option<Timestamp>,
}

impl Screen {
    /// Returns the screen that this process has.
    pub(crate) fn of_this_process() -> Self {
        let interactive = io::stdout().is_terminal();
        let wanted = environment::variable("NO_COLOR").is_none()
            && environment::variable("TERM").is_none_or(|term| term != "dumb");
        Self {
            width: width(interactive),
            interactive,
            colour: wanted && interactive,
            status_colour: wanted && io::stderr().is_terminal(),
            fixed_now: environment::variable("PAASCTL_NOW").and_then(|text| text.parse().ok()),
        }
    }

    /// Returns a screen without colours, for tests.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        Self { width, interactive: false, colour: false, status_colour: false, fixed_now: None }
    }

    /// Returns the same at this time.
    #[cfg(test)]
    pub(crate) fn at(self, now: Timestamp) -> Self {
        Self { fixed_now: Some(now), ..self }
    }

    /// Returns the screen with fewer characters in a line.
    pub(crate) fn narrowed(&self, by: usize) -> Self {
        Self { width: self.width.saturating_sub(by), ..self.clone() }
    }

    /// Returns the present time, or the one that `PAASCTL_NOW` fixes so that output can be compared.
    pub(crate) fn now(&self) -> Timestamp {
        self.fixed_now.unwrap_or_else(Timestamp::now)
    }

    /// Writes data and a line end to stdout.
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        self.write(format!("{text}\n"))
    }

    /// Writes data as it is to stdout, at once.
    pub(crate) fn write(&self, data: impl AsRef<[u8]>) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(data.as_ref())?;
        Ok(stdout.flush()?)
    }

    /// Writes a JSON value to stdout.
    pub(crate) fn json(&self, value: &Value) -> Result<()> {
        self.print(&format!("{value:#}"))
    }

    /// Writes a line of status to stderr; nobody reading it is no failure.
    pub(crate) fn say(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Returns text for stdout in the given tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.colour)
    }

    /// Returns text for stderr in the given tone.
    pub(crate) fn paint_status(&self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.status_colour)
    }
}

fn width(interactive: bool) -> usize {
    let given = environment::variable("COLUMNS").and_then(|text| text.parse().ok());
    given
        .or_else(|| {
            terminal_size::terminal_size().filter(|_| interactive).map(|(width, _)| usize::from(width.0))
        })
        .unwrap_or(usize::MAX)
}
