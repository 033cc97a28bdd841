//! The versions that builds keep.

pub(crate) mod list;
pub(crate) mod upgrade;
