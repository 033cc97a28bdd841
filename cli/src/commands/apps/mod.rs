//! Apps: making, showing, renaming and destroying them.

pub(crate) mod create;
pub(crate) mod destroy;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod rename;
