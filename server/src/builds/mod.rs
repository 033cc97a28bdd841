//! Builds: the queue, the builds that run, and their output. What a build does is the crate `build`'s.

mod cancel;
mod follow;
mod output;
mod queue;
mod room;
mod run;
mod settle;
mod work_dir;

pub use cancel::cancel_build;
pub use follow::{finished, follow, log_path, settled_elsewhere};
pub use output::output;
pub use queue::run as run_queue;
pub use room::BuildRoom;
pub(crate) use settle::{maintain, settle};
pub(crate) use work_dir::{remove, tidy};
