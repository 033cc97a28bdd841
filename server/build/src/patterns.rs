//! What is to be hidden: which parts of a variable are secrets, and all of them in an order in which a text can be
//! looked up.
//!
//! Only the first [`HEAD`] bytes of a pattern are made at once. The rest of a longer one is made when its head was
//! seen, so that time and memory to begin with do not grow with the encodings of large values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use model::config::ConfigVars;

use crate::encoding::Encoding;

/// A text with so many bytes of a secret is worth hiding whatever follows.
pub(crate) const HEAD: usize = 64;

/// Values with fewer characters are too common to hide: `LIVE` inside `DELIVERY`.
pub(crate) const HIDDEN_FROM: usize = 6;

/// Lines of a value of many lines are hidden on their own from this length on.
const LINE_FROM: usize = 16;

/// Encoded forms shorter than this would match by accident.
const ENCODED_FROM: usize = 8;

/// A text to hide. `Debug` shows nothing of it.
#[derive(Clone)]
pub(crate) struct Pattern {
    head: Vec<u8>,
    /// The variable it is from.
    pub(crate) name: Arc<str>,
    long: Option<Arc<Long>>,
}

/// The whole of a pattern that is longer than its head.
struct Long {
    secret: Arc<[u8]>,
    encoding: Encoding,
    whole: OnceLock<Arc<[u8]>>,
}

impl Pattern {
    fn new(name: &Arc<str>, secret: &Arc<[u8]>, encoding: Encoding) -> Self {
        // Each encoding makes at least one byte of each, but for the two at the borders of base64.
        let mut head = encoding.of(&secret[..secret.len().min(HEAD + 2)]);
        let long = secret.len() > HEAD + 2 || head.len() > HEAD;
        head.truncate(HEAD);
        let long = long.then(|| Arc::new(Long { secret: secret.clone(), encoding, whole: OnceLock::new() }));
        Self { head, name: name.clone(), long }
    }

    /// Returns its first bytes, or all of a short one.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Tells whether it has so many bytes and no more.
    fn ends_after(&self, bytes: usize) -> bool {
        self.head.len() == bytes && self.long.is_none()
    }

    /// Returns all bytes, if there are more than [`HEAD`].
    pub(crate) fn whole(&self) -> Option<Arc<[u8]>> {
        let long = self.long.as_ref()?;
        Some(long.whole.get_or_init(|| long.encoding.of(&long.secret).into()).clone())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What of the patterns a text begins with.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// Nothing.
    Nothing,
    /// The text is too short to tell: it is the start of a pattern, and this pattern, too, if it ends here.
    Perhaps(Option<&'a Pattern>),
    /// The longest pattern that is not longer than a head.
    Short(&'a Pattern),
    /// The heads of these longer patterns.
    Heads(&'a [Pattern]),
}

/// Patterns, to be looked up by what a text begins with.
#[derive(Clone, Default)]
pub(crate) struct Patterns {
    sorted: Vec<Pattern>,
    /// By the number of two bytes: how many patterns start with lesser ones.
    starts: Vec<u32>,
}

impl Patterns {
    /// Returns the patterns of all values.
    pub(crate) fn of_config(config: &ConfigVars) -> Self {
        let mut all = Vec::new();
        for (name, value) in config.iter() {
            let name = Arc::from(name.as_str());
            secrets(value.reveal()).into_iter().for_each(|secret| all.extend(patterns_of(&name, secret)));
        }
        Self::sorted(all)
    }

    /// Returns these and the patterns of the users and passwords in the URLs among these variables. The rest of a
    /// URL is no secret: which index was asked belongs in a log.
    pub(crate) fn with_credentials(&self, environment: &BTreeMap<String, String>) -> Self {
        let mut all = self.sorted.clone();
        for (name, value) in environment {
            let name = Arc::from(name.as_str());
            for user in users(value) {
                // With its `@` even a short one is unlike anything else.
                all.push(Pattern::new(&name, &format!("{user}@").into_bytes().into(), Encoding::Plain));
                let password = user.split_once(':').map(|(_, password)| password);
                let secrets = [Some(user), password].into_iter().flatten().map(str::as_bytes);
                let secrets = secrets.filter(|text| is_long(text));
                secrets.for_each(|secret| all.extend(patterns_of(&name, secret)));
            }
        }
        Self::sorted(all)
    }

    fn sorted(mut all: Vec<Pattern>) -> Self {
        all.retain(|pattern| pattern.head.len() > 1);
        let key = |pattern: &Pattern| pattern.long.is_some();
        all.sort_by(|a, b| a.head.cmp(&b.head).then(key(a).cmp(&key(b))));
        all.dedup_by(|a, b| !key(a) && !key(b) && a.head == b.head);
        let mut starts = vec![0; (1 << 16) + 1];
        all.iter().for_each(|pattern| starts[pair(&pattern.head) + 1] += 1);
        for number in 0..1 << 16 {
            starts[number + 1] += starts[number];
        }
        Self { sorted: all, starts }
    }

    /// Returns the patterns that start with these two bytes.
    fn starting(&self, two: &[u8]) -> &[Pattern] {
        let number = pair(two);
        &self.sorted[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    /// Returns how many bytes at the start of a text surely begin no pattern.
    pub(crate) fn skip(&self, text: &[u8]) -> usize {
        if self.sorted.is_empty() {
            return text.len();
        }
        let found = text.windows(2).position(|two| !self.starting(two).is_empty());
        found.unwrap_or(text.len().saturating_sub(1))
    }

    /// Returns what the text begins with.
    pub(crate) fn at(&self, text: &[u8]) -> Found<'_> {
        if text.len() < 2 {
            let starts = text.first().is_none_or(|byte| !among(&self.sorted, 0, *byte).is_empty());
            return if starts { Found::Perhaps(None) } else { Found::Nothing };
        }
        let (mut left, mut ended) = (self.starting(text), None);
        // All have two bytes at least.
        for depth in 1..HEAD {
            let Some(byte) = text.get(depth) else { return Found::Perhaps(ended) };
            left = if depth == 1 { left } else { among(left, depth, *byte) };
            // One that ends here is sorted before those that go on.
            if let [first, others @ ..] = left
                && first.ends_after(depth + 1)
            {
                (ended, left) = (Some(first), others);
            }
            if left.is_empty() {
                return ended.map_or(Found::Nothing, Found::Short);
            }
        }
        Found::Heads(left)
    }
}

/// Returns those of some patterns that go on with this byte; they are alike before it.
fn among(patterns: &[Pattern], depth: usize, byte: u8) -> &[Pattern] {
    if let [only] = patterns {
        return if only.head[depth] == byte { patterns } else { &[] };
    }
    let from = patterns.partition_point(|pattern| pattern.head[depth] < byte);
    let length = patterns[from..].partition_point(|pattern| pattern.head[depth] <= byte);
    &patterns[from..from + length]
}

fn pair(text: &[u8]) -> usize {
    usize::from(text[0]) << 8 | usize::from(text[1])
}

fn patterns_of(name: &Arc<str>, secret: &[u8]) -> impl Iterator<Item = Pattern> {
    let secret: Arc<[u8]> = secret.into();
    let all = Encoding::all_of(&secret).into_iter();
    let mut same = false;
    all.filter_map(move |encoding| {
        let Encoding::Base64 { url_safe, .. } = encoding else {
            return Some(Pattern::new(name, &secret, encoding));
        };
        // Most texts are the same in both alphabets, of which the standard one comes first.
        if url_safe && same {
            return None;
        }
        let pattern = Pattern::new(name, &secret, encoding);
        same = pattern.long.is_none() && !pattern.head.iter().any(|byte| b"+/".contains(byte));
        (pattern.head.len() >= ENCODED_FROM).then_some(pattern)
    })
}

/// Counts a byte that is no text as a character.
fn is_long(text: &[u8]) -> bool {
    let characters = text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + chunk.invalid().len());
    characters.sum::<usize>() >= HIDDEN_FROM
}

/// Returns what stands before the `@` of each URL in a text.
fn users(text: &str) -> impl Iterator<Item = &str> {
    let hosts = text
        .split("://")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| "/?#,".contains(c) || c.is_whitespace()).next());
    hosts.filter_map(|host| host.rsplit_once('@')).map(|(user, _)| user).filter(|user| !user.is_empty())
}

/// Returns the value, its longer lines, and the passwords of URLs.
fn secrets(value: &[u8]) -> Vec<&[u8]> {
    let mut secrets: Vec<_> = [value, value.trim_ascii()].into_iter().filter(|text| is_long(text)).collect();
    if value.trim_ascii().contains(&b'\n') {
        let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        secrets.extend(lines.filter(|line| line.len() >= LINE_FROM));
    }
    let users = value.utf8_chunks().flat_map(|chunk| users(chunk.valid()));
    let passwords = users.filter_map(|user| user.split_once(':')).map(|(_, password)| password.as_bytes());
    secrets.extend(passwords.filter(|password| is_long(password)));
    secrets.sort_unstable();
    secrets.dedup();
    secrets
}
