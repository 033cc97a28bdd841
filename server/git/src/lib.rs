//! Git repositories of apps and the push protocol over smart HTTP. Runs `git` for the wire, reads and prepares
//! repositories with libgit2; knows nothing of builds, and leaves HTTP itself, tokens and locks to its caller.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod archive;
mod between;
mod body;
mod branch;
mod command;
mod configuration;
mod diff;
mod durable;
mod export;
mod fetcher;
#[cfg(fuzzing)]
pub mod fuzzing;
mod history;
mod import;
mod judge;
mod keep;
mod maintenance;
mod object_id;
mod objects;
mod occupancy;
mod packs;
mod path_names;
mod pkt;
mod process;
mod push;
mod references;
mod reply;
mod repositories;
mod repository;
mod reserve;
mod restore;
mod serve;
mod service;
mod shallow;
mod snapshot;
mod source;
mod submodule_fetch;
mod submodules;
mod tar_extension;
pub mod terminal;
mod updates;
mod visits;

pub use archive::ArchiveError;
pub use branch::Moved;
pub use diff::{ChangedFile, Comparison};
pub use export::{ExportError, ExportLimits, Exported};
pub use fetcher::Fetcher;
pub use history::CommitFacts;
pub use import::{Authorship, ImportError, ImportLimits};
pub use judge::{DeployBranch, Deployment, Verdict, judge};
pub use object_id::{ObjectId, ObjectIdError};
pub use path_names::NameFault;
pub use push::{Fate, PushReply, PushRequest, receive};
pub use reply::Reply;
pub use repositories::Repositories;
pub use repository::Repository;
pub use reserve::DiskShort;
pub use serve::{Request, ServeLimits, serve};
pub use service::{Service, advertise};
pub use snapshot::{Snapshot, snapshot, walk};
pub use source::SourceError;
pub use submodules::{Submodule, SubmoduleError, SubmoduleFault, SubmoduleLimits};
pub use updates::RefUpdate;
