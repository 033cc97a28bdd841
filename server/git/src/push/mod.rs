//! The conversation of a push (gitprotocol-pack(5), "Pushing data to a server"): the server reads what is asked for, lets
//! `git receive-pack` take in and check the objects under references of the server's own, and then answers itself. No
//! reference that anybody sees moves here, and no git process waits while a push is built.

mod advice;
mod head;
mod receive;
mod reply;
mod report;
mod unpack;

#[cfg(fuzzing)]
pub(crate) use head::Reader;
#[cfg(fuzzing)]
pub(crate) use receive::check_name;
pub use receive::{PushRequest, receive};
pub use reply::PushReply;
pub use report::Fate;

/// References of pushes that are not answered yet.
pub(crate) const INCOMING: &str = "refs/paas/incoming/";
