//! Environment variables as a user means them: an empty one counts as not set.

/// Returns the variable, unless it is unset, empty or not text.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
