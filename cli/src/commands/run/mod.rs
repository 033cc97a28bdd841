//! One-off processes.

pub(crate) mod attached;
pub(crate) mod detached;
