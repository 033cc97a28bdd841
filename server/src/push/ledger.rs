//! What a push asks for beside its commit, and what of it is kept with the build.

use serde::{Deserialize, Serialize};

/// The options of `git push -o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PushOptions {
    /// Build with an empty cache.
    pub(super) clear_cache: bool,
}

impl PushOptions {
    /// Reads the options; an unknown one is refused, since a typo would otherwise pass for a wish that was heard.
    pub(super) fn parse(options: &[String]) -> Result<Self, String> {
        let mut parsed = Self::default();
        for option in options {
            match option.as_str() {
                "clear-cache" => parsed.clear_cache = true,
                other => {
                    let other = model::wording::plain(other, 60);
                    return Err(format!("There is no push option `{other}`; the only one is clear-cache."));
                }
            }
        }
        Ok(parsed)
    }

    /// Returns what is kept with the build of a push that was forced, or not.
    pub(super) fn into_ledger(self, forced: bool) -> Ledger {
        Ledger { forced, clear_cache: self.clear_cache }
    }
}

/// What is kept with a build that a push asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ledger {
    /// The branch goes to the commit even where that is not forward.
    pub(crate) forced: bool,
    /// Build with an empty cache.
    pub(crate) clear_cache: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_option_is_refused_without_its_control_characters() {
        let parsed = PushOptions::parse(&["clear-cache".into()]).unwrap();
        assert_eq!(parsed, PushOptions { clear_cache: true });
        let error = PushOptions::parse(&["re\u{1b}build".into()]).unwrap_err();
        assert!(error.contains("`rebuild`") && !error.contains('\u{1b}'), "{error}");
    }
}
