//! The settings of an app beside its config vars and formation.

pub(crate) mod list;
pub(crate) mod names;
pub(crate) mod set;
