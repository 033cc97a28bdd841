//! Small phrases that more than one surface says, so that they are said alike.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Returns `1 replica`, `3 replicas`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("{n} {noun}") } else { format!("{n} {noun}s") }
}

/// Returns how often each word comes, the most frequent first: `497 ready, 2 draining, 1 silent`.
#[must_use]
pub fn tally<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

/// Returns a size for people, such as `156 kB` or `47.0 MB`; units are powers of 1000.
#[must_use]
pub fn bytes(n: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let n_f = n as f64;
    match n {
        0..1_000 => format!("{n} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", n_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n_f / 1e6),
        _ => format!("{:.1} GB", n_f / 1e9),
    }
}

/// Returns a duration for people, such as `0.8 s`, `42 s`, `5 min` or `3 h`.
#[must_use]
pub fn duration(d: SignedDuration) -> String {
    let seconds = d.as_secs();
    match seconds {
        i64::MIN..10 => format!("{:.1} s", d.as_secs_f64().max(0.0)),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Returns a response time for people, such as `0.5 ms`, `45 ms` or `1.2 s`.
#[must_use]
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ..9.95 => format!("{:.1} ms", ms.max(0.0)),
        ..999.5 => format!("{ms:.0} ms"),
        ..9_950.0 => format!("{:.1} s", ms / 1e3),
        _ => format!("{:.0} s", ms / 1e3),
    }
}

/// Returns how long ago something was, such as `5 min ago`.
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(then);
    if passed.as_secs() < 1 { "just now".to_owned() } else { format!("{} ago", duration(passed)) }
}

/// Returns the text without characters that would steer a terminal, cut to `max` characters.
#[must_use]
pub fn plain(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\t').take(max).collect()
}

/// Returns the text as a sentence: with a full stop, unless it ends with something like one.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// Returns the candidate that `given` was probably meant to be.
#[must_use]
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let nearest = candidates.into_iter().map(|c| (strsim::damerau_levenshtein(given, c), c)).min()?;
    (nearest.0 <= given.chars().count().div_ceil(3)).then_some(nearest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_with_one_full_stop() {
        assert_eq!(
            ["it failed", "boot failed.", "why? "].map(sentence),
            ["it failed.", "boot failed.", "why?"]
        );
    }

    #[test]
    fn words_are_counted_the_most_frequent_first() {
        assert_eq!(tally(["silent", "ready", "draining", "ready"]), "2 ready, 1 draining, 1 silent");
        assert_eq!(tally([]), "");
    }

    #[test]
    fn a_typo_finds_its_command_and_nonsense_finds_none() {
        let all = ["scale", "releases", "config:set"];
        assert_eq!(did_you_mean("sacle", all), Some("scale"));
        assert_eq!(did_you_mean("confg:set", all), Some("config:set"));
        assert_eq!(did_you_mean("quux", all), None);
    }

    #[test]
    fn sizes_and_times_are_for_people() {
        assert_eq!(bytes(156_000), "156 kB");
        assert_eq!(duration(SignedDuration::from_millis(840)), "0.8 s");
        assert_eq!(
            [0.5, 9.97, 45.4, 1_240.0, 60_000.0].map(milliseconds),
            ["0.5 ms", "10 ms", "45 ms", "1.2 s", "60 s"]
        );
        assert_eq!(duration(SignedDuration::from_secs(300)), "5 min");
        assert_eq!(plain("a\u{1b}[31mb\n", 10), "a[31mb");
    }
}
