//! The releases of an app.

pub(crate) mod cancel;
pub(crate) mod diff;
pub(crate) mod find;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod rollback;
