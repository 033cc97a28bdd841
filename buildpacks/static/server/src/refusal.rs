//! Why a site is not served, in words for whoever wrote its configuration.

/// What is wrong and what helps, each on one line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {hint}")]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

impl Refusal {
    /// Returns a refusal; characters that end a line or steer a terminal are left out.
    pub(crate) fn new(reason: &str, hint: &str) -> Refusal {
        let visible = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Refusal { reason: visible(reason), hint: visible(hint) }
    }
}
