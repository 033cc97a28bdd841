//! The users of the platform.

pub(crate) mod create;
pub(crate) mod disable;
pub(crate) mod list;
