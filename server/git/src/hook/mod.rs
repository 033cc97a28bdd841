//! The conversation between git and the server in the middle of a push: git runs its `pre-receive` hook, the hook is a
//! tiny client (`run_client`) that hands everything to the server over a socket and prints what comes back.

mod client;
mod frame;
mod request;
mod server;
mod session;
mod socket;

pub use client::run_client;
pub use request::PushRequest;
pub use server::HookServer;
pub use session::{HookEnv, PushReply, Session};

/// Environment of the hook: the program to run.
const PROGRAM: &str = "PAASD_HOOK_PROGRAM";
/// Where the server listens.
const SOCKET: &str = "PAASD_HOOK_SOCKET";
/// Which push this is; good for one request.
const SESSION: &str = "PAASD_HOOK_SESSION";
