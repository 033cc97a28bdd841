//! The host names under which an app answers.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod remove;
