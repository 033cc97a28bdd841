//! The tokens of the user.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;
