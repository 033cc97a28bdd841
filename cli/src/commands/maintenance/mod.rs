//! The maintenance page that visitors get in place of an app.

pub(crate) mod off;
pub(crate) mod on;
pub(crate) mod show;
pub(crate) mod switch;
