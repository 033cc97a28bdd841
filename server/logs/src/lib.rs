//! One ordered log stream per app, on disk: a folder of lanes, each of numbered segments.
//!
//! Writers are several processes (a supervisor per replica, the server), readers are any; nobody coordinates them
//! but the kernel. Every line is delivered or counted: what a writer has to drop it announces in the stream
//! itself. Who may read a stream, and over which protocol, is decided elsewhere.
//!
//! Durability: a line is in the page cache when a write returns, so that no crash of a process loses it. A
//! segment is synced when it is full, in the background; before that the kernel writes back within its usual
//! half minute. A power loss may take that much of the latest lines, and nothing earlier: a record that was torn
//! fails its checksum, is never shown, and swallows nothing after it. Syncing each second would cost a disk with
//! a thousand talking apps more than these lines are worth.
//!
//! Nothing is read or opened until somebody writes or asks: an idle app costs its folder, no descriptor, no
//! thread and no memory.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod appender;
mod around;
mod backwards;
mod batch;
mod bounds;
mod cursor;
mod dir;
mod dropped;
mod lane;
mod line;
mod merge;
mod origin;
mod outbox;
mod position;
mod pump;
mod query;
mod range;
mod rate;
mod read;
mod receive;
mod record;
mod rotation;
mod seek;
mod segment;
mod split;
mod spool;
mod tail;
mod watch;
mod writer;

pub use bounds::Bounds;
pub use dir::LogDir;
pub use line::{Line, Style};
pub use origin::{Origin, Source, UnknownSource};
pub use outbox::{Letterbox, Outbox};
pub use position::{Place, Position, PositionError};
pub use pump::LinePump;
pub use query::Query;
pub use range::Range;
pub use rate::{Allowance, Rate};
pub use read::Excerpt;
pub use receive::Received;
pub use split::LONGEST_LINE;
pub use spool::{Piece, Spool};
pub use tail::{Skipped, Tail, Tailed};
pub use writer::Writer;
