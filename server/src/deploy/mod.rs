//! The wishes that make releases and operations. Each is one transaction; the reconcile loop does the rest.

mod change;
mod config;
mod destroy;
mod operation;
mod release;
mod restart;
mod revert;
mod rollback;
mod run;
mod scale;

pub use change::{ChangeError, Made};
pub use config::{change_config, release_config};
pub use destroy::destroy_app;
pub use operation::{Outcome, cancel_operation, outcome, outcome_of};
pub use release::{BuiltSlug, release_slug};
pub use restart::{RestartTarget, restart};
pub use revert::{Reverted, revert};
pub use rollback::roll_back;
pub use run::{OneOff, run_detached, stop_replicas};
pub use scale::{ScaleUpdate, scale, updated};
