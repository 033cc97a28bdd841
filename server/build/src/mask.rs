//! Hides config values in a stream of bytes, also where a value is cut by the borders of chunks.

use std::collections::BTreeMap;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};
use model::config::ConfigVars;

use crate::patterns::{credentials, patterns};

/// Replaces secrets by `[hidden: NAME]`. Holds back only an end that may be the start of a secret.
///
/// `Debug` shows nothing of the secrets.
pub(crate) struct Masker {
    finder: Option<AhoCorasick>,
    patterns: Vec<Vec<u8>>,
    names: Vec<String>,
    starts: [bool; 256],
    longest: usize,
    held: Vec<u8>,
}

impl Masker {
    pub(crate) fn new(config: &ConfigVars) -> Self {
        Self::of(patterns(config))
    }

    /// Hides the users and passwords in the URLs of these variables, too.
    pub(crate) fn hide_credentials(&mut self, environment: &BTreeMap<String, String>) {
        let mut all: Vec<_> = self.patterns.drain(..).zip(self.names.drain(..)).collect();
        all.extend(credentials(environment));
        *self = Self { held: std::mem::take(&mut self.held), ..Self::of(all) };
    }

    fn of(mut all: Vec<(Vec<u8>, String)>) -> Self {
        all.sort();
        all.dedup_by(|a, b| a.0 == b.0);
        let (patterns, names): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let mut starts = [false; 256];
        for pattern in &patterns {
            starts[usize::from(pattern[0])] = true;
        }
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns).ok();
        Self {
            finder: finder.filter(|_| !patterns.is_empty()),
            names,
            longest: patterns.iter().map(Vec::len).max().unwrap_or(0),
            patterns,
            starts,
            held: Vec::new(),
        }
    }

    /// Takes a chunk and appends to `out` what is certain by now.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(chunk);
        let hold = self.uncertain_from();
        self.release(hold, out);
    }

    /// Appends the rest to `out`.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(self.held.len(), out);
    }

    /// Hides the secrets of a whole text.
    pub(crate) fn whole(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        self.replace(text, text.len(), &mut out);
        out
    }

    fn release(&mut self, until: usize, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let done = self.replace(&held, until, out);
        self.held = held[done..].to_vec();
    }

    /// Appends `text` up to `until` with its secrets hidden, and returns where it stopped: a secret that starts
    /// before `until` is hidden as a whole.
    fn replace(&self, text: &[u8], until: usize, out: &mut Vec<u8>) -> usize {
        let mut done = 0;
        for found in self.finder.iter().flat_map(|finder| finder.find_iter(text)) {
            if found.start() >= until {
                break;
            }
            out.extend_from_slice(&text[done..found.start()]);
            let name = &self.names[found.pattern().as_usize()];
            out.extend_from_slice(format!("[hidden: {name}]").as_bytes());
            done = found.end();
        }
        if done < until {
            out.extend_from_slice(&text[done..until]);
            done = until;
        }
        done
    }

    /// Returns where the longest end of what is held starts that is the start of a pattern.
    fn uncertain_from(&self) -> usize {
        let held = &self.held;
        let earliest = held.len().saturating_sub(self.longest.saturating_sub(1));
        (earliest..held.len())
            .find(|&at| self.starts[usize::from(held[at])] && self.is_start(&held[at..]))
            .unwrap_or(held.len())
    }

    fn is_start(&self, end: &[u8]) -> bool {
        let at = self.patterns.partition_point(|pattern| pattern.as_slice() <= end);
        self.patterns.get(at).is_some_and(|pattern| pattern.starts_with(end))
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config(values: &[(&str, &str)]) -> ConfigVars {
        let changes = values.iter().map(|(k, v)| (k.parse().unwrap(), Some((*v).to_owned())));
        ConfigVars::default().changed(changes).unwrap()
    }

    fn masked(config: &ConfigVars, text: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut masker, mut out, mut from) = (Masker::new(config), Vec::new(), 0);
        for cut in cuts.iter().map(|cut| cut % (text.len() + 1)).filter(|cut| *cut > 0) {
            if cut > from {
                masker.push(&text[from..cut], &mut out);
                from = cut;
            }
        }
        masker.push(&text[from..], &mut out);
        masker.finish(&mut out);
        out
    }

    fn shown(config: &ConfigVars, text: &str) -> String {
        String::from_utf8(masked(config, text.as_bytes(), &[])).unwrap()
    }

    #[test]
    fn a_value_is_hidden_plain_encoded_and_inside_other_texts() {
        use base64::Engine as _;
        let vars = config(&[("KEY", "p4ss wörd/1"), ("SHORT", "LIVE")]);
        let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        for text in ["p4ss wörd/1", "p4ss%20w%C3%B6rd%2F1", "p4ss+w%c3%b6rd%2f1"] {
            assert_eq!(shown(&vars, &format!("a {text} b")), "a [hidden: KEY] b");
        }
        for inside in ["p4ss wörd/1", "user:p4ss wörd/1@host", "xp4ss wörd/1y"] {
            assert!(shown(&vars, &base64(inside)).contains("[hidden: KEY]"), "{inside}");
        }
        assert_eq!(shown(&vars, "DELIVERY LIVE"), "DELIVERY LIVE");
    }

    #[test]
    fn the_password_of_a_url_and_the_lines_of_a_key_are_hidden_alone() {
        let vars = config(&[
            ("DATABASE_URL", "postgres://me:s3cr3tpw@db/x"),
            ("PEM", "-----BEGIN-----\nMIIEvQIBADANBgkqhkiG\n-----END-----\n"),
        ]);
        assert_eq!(shown(&vars, "password s3cr3tpw"), "password [hidden: DATABASE_URL]");
        assert_eq!(shown(&vars, "  MIIEvQIBADANBgkqhkiG"), "  [hidden: PEM]");
    }

    #[test]
    fn of_a_url_that_leads_outside_only_the_user_and_the_password_are_hidden() {
        let vars = [
            ("HTTPS_PROXY", "http://me:pw@proxy:3128"),
            ("UV_INDEX", "ours=https://bot:s3cr3tpw@a.example/simple https://0123456789@b.example/x?y"),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let mut masker = Masker::new(&config(&[("KEY", "secret-1")]));
        masker.push(b"secr", &mut Vec::new());
        masker.hide_credentials(&vars);
        let shown = |text: &str| String::from_utf8(masker.whole(text.as_bytes())).unwrap();
        assert_eq!(shown(&vars["HTTPS_PROXY"]), "http://[hidden: HTTPS_PROXY]proxy:3128");
        assert_eq!(
            shown(&vars["UV_INDEX"]),
            "ours=https://[hidden: UV_INDEX]a.example/simple https://[hidden: UV_INDEX]b.example/x?y"
        );
        assert_eq!(shown("s3cr3tpw secret-1 me pw"), "[hidden: UV_INDEX] [hidden: KEY] me pw");
        let mut rest = Vec::new();
        masker.push(b"et-1", &mut rest);
        assert_eq!(rest, b"[hidden: KEY]");
        assert!(!format!("{masker:?}").contains("115"), "{masker:?}");
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_held_back() {
        let (mut masker, mut out) = (Masker::new(&config(&[("KEY", "secret-1")])), Vec::new());
        masker.push(b"progress 10% sec", &mut out);
        assert_eq!(out, b"progress 10% ");
        masker.push(b"ond", &mut out);
        assert_eq!(out, b"progress 10% second");
    }

    proptest! {
        #[test]
        fn any_chunking_gives_what_the_whole_gives(
            text in "[abc ]{0,60}", first in "[abc]{6,9}", second in "[abc]{6,9}",
            mut cuts in proptest::collection::vec(0_usize..60, 0..12),
        ) {
            let text = format!("{text}{first}{text}{second}a");
            let vars = config(&[("A", &first), ("B", &second)]);
            cuts.sort_unstable();
            let whole = Masker::new(&vars).whole(text.as_bytes());
            prop_assert_eq!(&masked(&vars, text.as_bytes(), &cuts), &whole);
            let whole = String::from_utf8(whole).unwrap();
            prop_assert!(!whole.contains(&first) && !whole.contains(&second), "{}", whole);
        }
    }
}
