//! Path patterns of static.json: `*` is anything within a segment, `**` anything at all.

use serde::Deserialize;

/// A pattern for the path of a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Pattern(String);

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Pattern(if text.starts_with('/') { text } else { format!("/{text}") })
    }
}

impl Pattern {
    /// Returns whether the whole path fits.
    pub(crate) fn matches(&self, path: &str) -> bool {
        fits(self.0.as_bytes(), path.as_bytes())
    }

    /// Returns how specific the pattern is: of several that match, the one with most literal characters is
    /// meant, whatever their order in the file.
    pub(crate) fn weight(&self) -> usize {
        self.0.bytes().filter(|&byte| byte != b'*').count()
    }
}

/// Goes through both once and returns to the latest star of each kind only: no pattern can make it slow.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when a literal does not fit: the pattern after the star, the path it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    let mut double: Option<(usize, usize)> = None;
    loop {
        if pattern[at..].starts_with(b"**") {
            at += 2;
            (double, star) = (Some((at, from)), None);
        } else if pattern.get(at) == Some(&b'*') {
            at += 1;
            star = Some((at, from));
        } else if from < path.len() && pattern.get(at) == Some(&path[from]) {
            (at, from) = (at + 1, from + 1);
        } else if at == pattern.len() && from == path.len() {
            return true;
        } else if let Some((after, taken)) =
            star.filter(|&(_, taken)| taken < path.len() && path[taken] != b'/')
        {
            (at, from) = (after, taken + 1);
            star = Some((after, taken + 1));
        } else if let Some((after, taken)) = double.filter(|&(_, taken)| taken < path.len()) {
            (at, from) = (after, taken + 1);
            (double, star) = (Some((after, taken + 1)), None);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::from(pattern.to_owned()).matches(path)
    }

    #[test]
    fn one_star_stays_in_its_segment_and_two_cross_them() {
        assert!(matches("/**", "/") && matches("/**", "/a/b.html"));
        assert!(matches("/*", "/a") && !matches("/*", "/a/b"));
        assert!(matches("/a/*.js", "/a/x.js") && !matches("/a/*.js", "/a/b/x.js"));
        assert!(matches("/a/**/x", "/a/b/c/x") && !matches("/a/**/x", "/a/b/c/y"));
        assert!(matches("old", "/old") && !matches("/old", "/older"));
    }

    /// The rule without cleverness, slow.
    fn slowly(pattern: &[u8], path: &[u8]) -> bool {
        match pattern {
            [] => path.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=path.len()).any(|taken| slowly(rest, &path[taken..])),
            [b'*', rest @ ..] => {
                let segment = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
                (0..=segment).any(|taken| slowly(rest, &path[taken..]))
            }
            [literal, rest @ ..] => path.first() == Some(literal) && slowly(rest, &path[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]
        #[test]
        fn matching_is_what_trying_everything_says(pattern in "(/|a|b|\\*|\\*\\*){0,8}", path in "[ab/]{0,10}") {
            prop_assert_eq!(fits(pattern.as_bytes(), path.as_bytes()), slowly(pattern.as_bytes(), path.as_bytes()));
        }
    }
}
