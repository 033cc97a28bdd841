//! The users of the platform.

pub(crate) mod create;
pub(crate) mod list;
