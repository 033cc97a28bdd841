//! Hides config values in a stream of bytes, also where a value is cut by the borders of chunks.
//!
//! Time and memory are linear in the text and the values. A text with the first [`HEAD`] bytes of a longer secret
//! is hidden as far as it goes on like the secret, so that never more than a head is held back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::config::ConfigVars;

use crate::patterns::{Found, HEAD, Pattern, Patterns};

/// Replaces secrets by `[hidden: NAME]`. Holds back only an end that may be the start of a secret.
///
/// `Debug` shows nothing of the secrets.
pub(crate) struct Masker {
    patterns: Patterns,
    held: Vec<u8>,
    hiding: Hiding,
}

/// Where in a text it is hidden, and what comes out in its place.
#[derive(Default)]
struct Hiding {
    /// So many bytes of the text are hidden or out already.
    until: usize,
    /// The variable that was named last.
    name: Option<Arc<str>>,
    /// A long secret that the text may go on with at `until`.
    run: Option<Run>,
}

/// Secrets of which a text shows a head and more.
struct Run {
    secrets: Vec<Arc<[u8]>>,
    seen: usize,
}

impl Masker {
    pub(crate) fn new(config: &ConfigVars) -> Self {
        Self { patterns: Patterns::of_config(config), held: Vec::new(), hiding: Hiding::default() }
    }

    /// Hides the users and passwords in the URLs of these variables, too.
    pub(crate) fn hide_credentials(&mut self, environment: &BTreeMap<String, String>) {
        self.patterns = self.patterns.with_credentials(environment);
    }

    /// Takes a chunk and appends to `out` what is certain by now.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(chunk);
        let certain = pass(&self.patterns, &self.held, &mut self.hiding, false, out);
        self.held.drain(..certain);
        self.hiding.until = self.hiding.until.saturating_sub(certain);
    }

    /// Appends the rest to `out`.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        pass(&self.patterns, &self.held, &mut self.hiding, true, out);
        self.held.clear();
        self.hiding = Hiding::default();
    }

    /// Hides the secrets of a whole text.
    pub(crate) fn whole(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        pass(&self.patterns, text, &mut Hiding::default(), true, &mut out);
        out
    }
}

/// Appends a text to `out` with its secrets hidden, and returns how much of it needs no second look. `last` says
/// that nothing follows.
fn pass(patterns: &Patterns, text: &[u8], hiding: &mut Hiding, last: bool, out: &mut Vec<u8>) -> usize {
    let mut at = 0;
    while at < text.len() {
        if hiding.run.is_some() {
            hiding.go_on(text);
            // A secret that starts in what is hidden may end behind it.
            at = at.max(hiding.until.saturating_sub(HEAD - 1));
            if hiding.run.is_some() && !last {
                return at;
            }
            hiding.run = None;
        }
        at += patterns.skip(&text[at..]);
        hiding.show(text, at, out);
        if at == text.len() {
            break;
        }
        match patterns.at(&text[at..]) {
            Found::Perhaps(_) if !last => return at,
            Found::Short(pattern) | Found::Perhaps(Some(pattern)) => {
                hiding.hide(at, pattern.head().len(), pattern, out);
            }
            Found::Heads(longer) => {
                hiding.hide(at, HEAD, &longer[0], out);
                hiding.run =
                    Some(Run { secrets: longer.iter().filter_map(Pattern::whole).collect(), seen: HEAD });
            }
            Found::Nothing | Found::Perhaps(None) => {}
        }
        at += 1;
    }
    hiding.show(text, at, out);
    at
}

impl Hiding {
    /// Lets out what is not hidden of the text before `at`.
    fn show(&mut self, text: &[u8], at: usize, out: &mut Vec<u8>) {
        if self.until < at {
            out.extend_from_slice(&text[self.until..at]);
            self.until = at;
        }
    }

    /// Hides bytes from `at` on, which is not after `until`. A secret that overlaps another of the same name is
    /// not named again.
    fn hide(&mut self, at: usize, bytes: usize, pattern: &Pattern, out: &mut Vec<u8>) {
        if at + bytes <= self.until {
            return;
        }
        if at == self.until || self.name.as_ref() != Some(&pattern.name) {
            out.extend_from_slice(format!("[hidden: {}]", pattern.name).as_bytes());
            self.name = Some(pattern.name.clone());
        }
        self.until = at + bytes;
    }

    /// Hides as much of the text as goes on like the long secret; ends the run where it does not.
    fn go_on(&mut self, text: &[u8]) {
        let Some(run) = &mut self.run else { return };
        self.until += run.take(&text[self.until..]);
        if run.secrets.is_empty() {
            self.run = None;
        }
    }
}

impl Run {
    /// Returns how many bytes go on like one of the secrets, and keeps those that may go on behind them.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let common = |secret: &Arc<[u8]>| {
            let rest = &secret[self.seen..];
            rest.iter().zip(bytes).take_while(|(a, b)| a == b).count()
        };
        let alike: Vec<_> = self.secrets.iter().map(common).collect();
        let longest = alike.iter().copied().max().unwrap_or(0);
        self.seen += longest;
        let mut alike = alike.into_iter();
        let seen = self.seen;
        self.secrets.retain(|secret| alike.next() == Some(bytes.len()) && secret.len() > seen);
        longest
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
    use crate::encoding::Encoding;
    use proptest::prelude::*;

    fn config(values: &[(&str, &str)]) -> ConfigVars {
        let changes = values.iter().map(|(k, v)| (k.parse().unwrap(), Some((*v).into())));
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
    fn bytes_that_are_no_text_are_hidden_as_they_are_and_as_programs_write_them() {
        let value = b"\xff\xfe-key\n\x01ends with this line, long enough\n".to_vec();
        let changes = [("KEY".parse().unwrap(), Some(value.clone().into()))];
        let vars = ConfigVars::default().changed(changes).unwrap();
        assert_eq!(masked(&vars, &[b"<", value.as_slice(), b">"].concat(), &[3, 9]), b"<[hidden: KEY]>");
        let written = r"<b'\xff\xfe-key\n\x01ends with this line, long enough\n'>";
        assert_eq!(shown(&vars, written), "<b'[hidden: KEY]'>");
        assert_eq!(shown(&vars, "\u{1}ends with this line, long enough"), "[hidden: KEY]");
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

    /// Values as large as they may be, all of one letter, and then text that nearly goes on like them for ever.
    #[test]
    fn a_mebibyte_of_repetitive_values_is_hidden_in_a_long_text_of_the_same_letter() {
        let values: Vec<_> = (0..15).map(|n| (format!("V{n}"), "z".repeat(64 * 1024 - n))).collect();
        let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut masker = Masker::new(&config(&values));
        let mut out = Vec::new();
        for _ in 0..64 {
            masker.push(&[b'z'; 16 * 1024], &mut out);
            assert!(masker.held.len() < HEAD, "{} bytes are held back", masker.held.len());
        }
        masker.push(b" end", &mut out);
        masker.finish(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('z') && text.ends_with("] end") && text.len() < 1000, "{text}");
    }

    #[test]
    fn a_mebibyte_of_lines_is_hidden_line_by_line() {
        let line = |n: usize| format!("line {n:06} of a key in many lines\n");
        let key = |name: usize| (0..1700).map(|n| line(name * 10_000 + n)).collect::<String>();
        let values: Vec<_> = (0..15).map(|n| (format!("V{n}"), key(n))).collect();
        let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let vars = config(&values);
        assert_eq!(shown(&vars, &format!("> {}", line(140_777))), "> [hidden: V14]\n");
        assert_eq!(shown(&vars, &key(3)), "[hidden: V3]");
    }

    #[test]
    fn a_secret_that_starts_in_what_only_looks_like_another_is_hidden_to_its_end() {
        let long = "0123456789".repeat(10);
        let vars = config(&[("LONG", &long), ("KEY", "456789-secret")]);
        assert_eq!(shown(&vars, &format!("{}456789-secret!", &long[..84])), "[hidden: LONG][hidden: KEY]!");
        assert_eq!(shown(&vars, &format!("<{}>", &long[..63])), format!("<{}>", &long[..63]));
        assert_eq!(shown(&vars, &format!("<{}>", &long[..64])), "<[hidden: LONG]>");
    }

    /// Values of all lengths, many of them repetitive.
    fn value() -> impl Strategy<Value = String> {
        let unit = prop_oneof!["[ab]{1,4}", "[a-c \"/ü]{1,40}", "[A-Za-z0-9]{10,90}"];
        (unit, 6_usize..64 * 1024).prop_map(|(unit, bytes)| {
            let text = unit.repeat(bytes.div_ceil(unit.len()));
            let end = (6..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text[..end.unwrap_or(text.len())].to_owned()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_value_of_any_length_comes_through_in_any_encoding(
            value in value(), other in value(), noise in "[abc ]{0,80}", chunk in 1_usize..9000,
        ) {
            prop_assume!(value.chars().count() >= 6 && other.chars().count() >= 6);
            let vars = config(&[("A", &value), ("B", &other)]);
            for encoding in Encoding::all_of(value.as_bytes()) {
                let secret = encoding.of(value.as_bytes());
                if secret.len() < 8 {
                    continue;
                }
                let text = [noise.as_bytes(), &secret, noise.as_bytes()].concat();
                let cuts: Vec<_> = (chunk..text.len()).step_by(chunk).collect();
                let hidden = masked(&vars, &text, &cuts);
                prop_assert_eq!(&hidden, &Masker::new(&vars).whole(&text));
                let start = &secret[..secret.len().min(HEAD)];
                prop_assert!(!hidden.windows(start.len()).any(|window| window == start), "{:?}", encoding);
            }
        }

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
