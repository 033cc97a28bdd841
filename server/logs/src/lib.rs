//! One ordered log stream per app, on disk: a folder of numbered segments.
//!
//! Writers are several processes (a supervisor per replica, the server), readers are any; nobody
//! coordinates them but the kernel. Every line is delivered or counted: what a writer has to drop it
//! announces in the stream itself. Who may read a stream, and over which protocol, is decided elsewhere.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod appender;
mod batch;
mod bounds;
mod cursor;
mod dir;
mod dropped;
mod line;
mod origin;
mod outbox;
mod position;
mod pump;
mod query;
mod rate;
mod read;
mod record;
mod rotation;
mod seek;
mod segment;
mod split;
mod tail;
mod watch;
mod writer;

pub use bounds::Bounds;
pub use dir::LogDir;
pub use line::{Line, Style};
pub use origin::{Origin, Source, UnknownSource};
pub use outbox::Outbox;
pub use position::{Position, PositionError};
pub use pump::LinePump;
pub use query::Query;
pub use rate::Rate;
pub use read::Excerpt;
pub use split::LONGEST_LINE;
pub use tail::{Skipped, Tail, Tailed};
pub use writer::Writer;
