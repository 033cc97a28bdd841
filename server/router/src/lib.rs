//! The built-in HTTP router: sends each request to a replica of the app its host names.
//!
//! One thread per core with a runtime, a listening socket and a pool of backend connections of its own; the
//! routing table is a snapshot that is replaced whole. Who is in the table, and whether a replica is healthy, is
//! decided elsewhere.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod backend;
mod certificate;
mod certificates;
mod choose;
mod clock;
mod code;
mod download;
mod dry;
mod exchange;
mod extended;
mod forward;
mod frames;
mod handle;
mod headers;
mod host;
mod http2;
mod knock;
mod line;
mod listen;
mod network;
mod opening;
mod options;
mod page;
mod pool;
mod probe;
mod pump;
mod request_id;
mod router;
mod routes;
mod seen;
mod spare;
mod standing;
mod sticky;
mod tunnel;
mod upload;
mod visitor;
mod wall_clock;
mod watch;
mod watched;
mod way_in;
mod wire;
mod worker;

pub use backend::Backend;
pub use certificate::{FoundCertificate, find_certificates};
pub use code::Code;
pub use line::{RequestLine, RequestLog};
pub use listen::bind;
pub use network::{Network, NetworkError};
pub use options::{Limits, Listen, RouterOptions, Timeouts, Tls};
pub use probe::{PROBE_HEADER, PROBE_MISS_HEADER, ProbeSecret};
pub use router::{Router, RouterError, RouterHandle};
pub use routes::{AppRoute, AppState, Routes};
pub use sticky::StickyKey;
pub use tunnel::GOODBYE;
pub use way_in::WayIn;
