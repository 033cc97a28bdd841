//! The replicas of an app and how many there should be.

pub(crate) mod list;
pub(crate) mod resize;
pub(crate) mod restart;
pub(crate) mod scale;
pub(crate) mod stop;
pub(crate) mod target;
pub(crate) mod watch;
