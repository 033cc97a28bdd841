//! The config vars of an app. Values go to stdout when they are asked for and nowhere else.

pub(crate) mod assignment;
pub(crate) mod change;
pub(crate) mod edit;
pub(crate) mod get;
pub(crate) mod list;
mod quoting;
pub(crate) mod set;
pub(crate) mod unset;
