//! What there is of images and of builders, as it was seen a moment ago.

use std::time::Duration;

use model::wording;

/// How far a builder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuilderState {
    /// It starts, works, or is being switched off.
    Working,
    /// It is off.
    Stopped,
    /// It is no more, or will be in a moment.
    Gone,
}

/// What a builder's console says in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The disk is as it should be.
    Done,
    /// It is not.
    Failed(String),
}

/// An instance that becomes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Builder {
    /// Its id.
    pub id: String,
    /// The fingerprint of its recipe.
    pub fingerprint: String,
    /// How far it is.
    pub state: BuilderState,
    /// How long ago it was started.
    pub age: Duration,
    /// What it said in the end, as far as it is known.
    pub outcome: Option<Outcome>,
}

/// How far an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// AWS makes it.
    Pending,
    /// Hosts can start from it.
    Available,
    /// It came to nothing.
    Failed,
}

/// An image of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// The fingerprint of its recipe.
    pub fingerprint: String,
    /// How far it is.
    pub state: ImageState,
    /// When it was made, as AWS writes it: later ones are greater.
    pub created: String,
    /// The snapshots that it is made of.
    pub snapshots: Vec<String>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Builders, those that are gone too for as long as AWS shows them.
    pub builders: Vec<Builder>,
    /// Images of ours.
    pub images: Vec<Image>,
    /// Snapshots of ours, of images that are gone too.
    pub snapshots: Vec<String>,
    /// The image that hosts start from now.
    pub in_use: Option<String>,
    /// The last lines on the console of the builder of the recipe, the oldest first, fit for a terminal.
    pub console: Vec<String>,
}

/// How many lines of a console are shown to who asks why.
const LAST_LINES: usize = 12;

impl Seen {
    /// Notes what a builder's console shows.
    pub fn note_console(&mut self, console: &str) {
        let lines = console.lines().rev().map(|line| wording::plain(line.trim_end(), 200));
        self.console = lines.filter(|line| !line.is_empty()).take(LAST_LINES).collect();
        self.console.reverse();
    }

    /// Returns what the builder of the recipe said last.
    #[must_use]
    pub fn says(&self) -> Option<&str> {
        self.console.iter().rev().find_map(|line| Some(line.split_once(MARK)?.1))
    }
}

/// What the lines for us begin with, wherever cloud-init puts them.
const MARK: &str = "paas-bake: ";

/// Returns what a console says to us, the oldest first, fit for a terminal.
pub(super) fn said(console: &str) -> impl DoubleEndedIterator<Item = String> + '_ {
    console.lines().filter_map(|line| Some(wording::plain(line.split_once(MARK)?.1.trim_end(), 200)))
}

/// Returns what a console says in the end, of a builder of this fingerprint.
#[must_use]
pub fn outcome(console: &str, fingerprint: &str) -> Option<Outcome> {
    said(console).rev().find_map(|line| match line.split_once(' ') {
        Some(("done", of)) if of == fingerprint => Some(Outcome::Done),
        Some(("failed", why)) => Some(Outcome::Failed(why.to_owned())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_read_from_the_console_among_all_that_is_printed_there() {
        let console = "[    0.1] Linux\n[   25.1] cloud-init[512]: paas-bake: system packages\r\n\
             cloud-init[512]: paas-bake: done abc\r\nPower down\n";
        assert_eq!(outcome(console, "abc"), Some(Outcome::Done));
        assert_eq!(outcome(console, "abd"), None, "it is the end of another");
        assert_eq!(said(console).next().as_deref(), Some("system packages"));
        let failed = "paas-bake: service\npaas-bake: failed programs and slugs: line 40 ended with 22\n";
        assert_eq!(
            outcome(failed, "abc"),
            Some(Outcome::Failed("programs and slugs: line 40 ended with 22".into()))
        );
        assert_eq!(outcome("", "abc"), None);
    }

    #[test]
    fn the_last_lines_are_kept_for_who_asks_why() {
        let mut seen = Seen::default();
        let lines: String = (0..40).map(|n| format!("line {n}\r\n\r\n")).collect();
        seen.note_console(&format!("paas-bake: service\n{lines}"));
        assert_eq!((seen.console.len(), seen.console[11].as_str(), seen.says()), (12, "line 39", None));
        seen.note_console("x\npaas-bake: service\ny\n");
        assert_eq!(seen.says(), Some("service"));
    }

    #[test]
    fn what_would_steer_a_terminal_is_left_out() {
        assert_eq!(said("paas-bake: a\u{1b}[31mb\n").next().as_deref(), Some("a[31mb"));
    }
}
