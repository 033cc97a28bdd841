//! Reads what a buildpack's `bin/detect` wrote down, and decides which buildpack is chosen.
//!
//! The trace is a file of lines with tabs: `look PATH found|absent NOTE` and `therefore SENTENCE`. A buildpack
//! that writes none is judged by its exit status alone.

use model::detection::{Attempt, DetectionTrace, Look};

use crate::{Buildpack, Listing, nearest};

/// What running one `bin/detect` gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The buildpack's name.
    pub buildpack: String,
    /// Whether it ended with status 0.
    pub matched: bool,
    /// What it wrote to its trace.
    pub trace: String,
    /// What it wrote to standard output and error, for buildpacks without a trace.
    pub said: String,
}

/// Most lines of a trace that are read, and most characters of a field.
const LOOKS_MAX: usize = 200;
const FIELD_MAX: usize = 300;

/// Returns the attempt that an outcome tells of.
#[must_use]
pub fn attempt(outcome: &Outcome) -> Attempt {
    let mut looked_for = Vec::new();
    let mut therefore = None;
    for line in outcome.trace.lines().take(LOOKS_MAX) {
        let mut fields = line.split('\t');
        match fields.next() {
            Some("look") => {
                let (Some(path), Some(found)) = (fields.next(), fields.next()) else { continue };
                let note = fields.next().map(clean).filter(|note| !note.is_empty());
                looked_for.push(Look { path: clean(path), found: found == "found", note });
            }
            Some("therefore") => therefore = fields.next().map(clean),
            _ => {}
        }
    }
    let said = || {
        let last = outcome.said.lines().rev().map(clean).find(|line| !line.is_empty());
        let word = if outcome.matched { "it says that it applies" } else { "it says that it does not apply" };
        last.map_or_else(|| word.to_owned(), |last| format!("{word}: {last}"))
    };
    let therefore = therefore.unwrap_or_else(said);
    Attempt { buildpack: outcome.buildpack.clone(), looked_for, matched: outcome.matched, therefore }
}

/// Decides: the first that applies, or, if the app's owner set buildpacks, all of those.
///
/// `set` are the buildpacks the owner set; then every one of them has to apply and the last one is chosen
/// for its process types.
#[must_use]
pub fn verdict(outcomes: &[Outcome], set: &[String], all: &[Buildpack], source: &Listing) -> DetectionTrace {
    let attempts: Vec<_> = outcomes.iter().map(attempt).collect();
    let matching: Vec<_> = attempts.iter().filter(|a| a.matched).map(|a| a.buildpack.clone()).collect();
    let (chosen, because) = if set.is_empty() { first(&matching) } else { every(&attempts, &matching, set) };
    let hint = chosen.is_none().then(|| nearest(source, all).map(|miss| miss.hint)).flatten();
    let hint = hint.or_else(|| chosen.is_none().then(|| crate::nearest::file_to_add(set, all)));
    DetectionTrace { attempts, chosen, because, hint, ..DetectionTrace::default() }
}

fn first(matching: &[String]) -> (Option<String>, String) {
    match matching {
        [] => (None, "no buildpack applies to this source".into()),
        [only] => (Some(only.clone()), "the only one that applies".into()),
        [first, others @ ..] => {
            let others = others.join(" and ");
            let verb = if matching.len() == 2 { "applies" } else { "apply" };
            let because = format!(
                "the first that applies; {others} {verb} too: set one with `paasctl buildpacks:set` to choose"
            );
            (Some(first.clone()), because)
        }
    }
}

fn every(attempts: &[Attempt], matching: &[String], set: &[String]) -> (Option<String>, String) {
    let failing: Vec<_> = attempts.iter().filter(|a| !a.matched).map(|a| a.buildpack.as_str()).collect();
    if let Some(name) = failing.first() {
        return (
            None,
            format!("the buildpack `{name}` is set for this app and does not apply to this source"),
        );
    }
    match matching.last() {
        Some(last) => (Some(last.clone()), format!("set for this app: {}", set.join(", "))),
        None => (None, "none of the buildpacks set for this app is known".into()),
    }
}

/// Returns the text without characters that steer a terminal, and not too long.
fn clean(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.trim().chars().take(FIELD_MAX).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, matched: bool, trace: &str) -> Outcome {
        Outcome { buildpack: name.into(), matched, trace: trace.into(), said: String::new() }
    }

    #[test]
    fn a_trace_is_read_and_what_steers_a_terminal_is_replaced() {
        let trace =
            "look\tGemfile\tfound\tlists \u{1b}gems\nlook\tx\tabsent\nnonsense\ntherefore\tit applies\n";
        let attempt = attempt(&outcome("ruby", true, trace));
        assert_eq!(attempt.looked_for[0].note.as_deref(), Some("lists \u{fffd}gems"));
        assert_eq!((attempt.looked_for.len(), attempt.looked_for[1].found), (2, false));
        assert_eq!(attempt.therefore, "it applies");
    }

    #[test]
    fn a_buildpack_without_a_trace_is_quoted() {
        let silent = Outcome { said: "Node.js\n".into(), ..outcome("nodejs", true, "") };
        assert_eq!(attempt(&silent).therefore, "it says that it applies: Node.js");
    }

    #[test]
    fn the_first_match_is_chosen_and_the_others_are_named() {
        let outcomes =
            [outcome("python", true, ""), outcome("static", true, ""), outcome("procfile", false, "")];
        let trace = verdict(&outcomes, &[], &[], &Listing::default());
        assert_eq!(trace.chosen.as_deref(), Some("python"));
        assert!(trace.because.contains("static applies too"), "{}", trace.because);
    }

    #[test]
    fn of_set_buildpacks_each_has_to_apply() {
        let outcomes = [outcome("python", true, ""), outcome("static", false, "")];
        let set = ["python".to_owned(), "static".to_owned()];
        let trace = verdict(&outcomes, &set, &[], &Listing::default());
        assert_eq!(trace.chosen, None);
        assert!(trace.because.contains("`static` is set for this app"), "{}", trace.because);
    }
}
