//! Changes that are being brought about: rollouts and restarts.

pub(crate) mod cancel;
pub(crate) mod find;
pub(crate) mod info;
pub(crate) mod list;
