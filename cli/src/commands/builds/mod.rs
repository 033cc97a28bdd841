//! The builds of an app.

pub(crate) mod cancel;
pub(crate) mod find;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod output;
