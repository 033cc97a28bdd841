//! What a build needs to know, what it may use, and what it gives.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use model::config::ConfigVars;
use model::detection::DetectionTrace;
use model::id::{AppId, BuildId};
use model::name::AppName;
use model::pins::Pins;
use model::slug::{Digest, SlugManifest};
use model::stack::BuildStack;
use sandbox::Identity;

/// One build to run. `Debug` shows no values of variables.
#[derive(Clone)]
pub struct BuildRequest {
    /// The build.
    pub build: BuildId,
    /// The app.
    pub app: AppId,
    /// The app's name.
    pub app_name: AppName,
    /// The app's own user; nothing where the platform is not root.
    pub identity: Option<Identity>,
    /// The exported source; it belongs to the build, which changes it.
    pub source: PathBuf,
    /// The commit in hexadecimal.
    pub commit: String,
    /// The branch that was pushed.
    pub branch: String,
    /// The app's config vars.
    pub config: ConfigVars,
    /// What earlier builds chose.
    pub pins: Pins,
    /// What it makes a slug of.
    pub stack: BuildStack,
    /// The buildpacks that the app's owner set; none lets detection choose.
    pub buildpacks: Vec<String>,
    /// The app's cache, made if it is missing.
    pub cache_dir: PathBuf,
    /// A directory of ours for this build, made if it is missing; the image of the slug appears in it.
    pub work_dir: PathBuf,
    /// What the build may use.
    pub limits: BuildLimits,
    /// Variables of the server that buildpacks need to reach the outside: see
    /// [`build_environment`](crate::build_environment).
    pub build_env: BTreeMap<String, String>,
    /// Whether to start with an empty cache.
    pub clear_cache: bool,
}

impl fmt::Debug for BuildRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("BuildRequest");
        shown.field("build", &self.build).field("app_name", &self.app_name).field("commit", &self.commit);
        shown.field("source", &self.source).field("config", &self.config).field("limits", &self.limits);
        // A URL of an index may hold a password.
        shown.field("build_env", &self.build_env.keys()).finish_non_exhaustive()
    }
}

/// What a build may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildLimits {
    /// Time, in seconds.
    pub seconds: u64,
    /// Memory with its `/tmp`, in megabytes.
    pub memory_mb: u64,
    /// Processes and threads.
    pub pids: u32,
    /// The packed slug, in bytes.
    pub slug_bytes: u64,
    /// Source, packages and cache on disk, in bytes.
    pub disk_bytes: u64,
    /// What the disk keeps free before a build begins, in bytes; a build that runs stops at half of it.
    pub reserve_bytes: u64,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self {
            seconds: 900,
            memory_mb: 2560,
            pids: 2048,
            slug_bytes: 500 << 20,
            disk_bytes: 4 << 30,
            reserve_bytes: 1 << 30,
        }
    }
}

/// What a build gave.
#[derive(Debug, Clone)]
pub struct BuildOutput {
    /// The slug.
    pub slug: BuiltSlug,
    /// What it holds.
    pub manifest: SlugManifest,
    /// How the buildpack, the versions and the process types were found.
    pub trace: DetectionTrace,
    /// What this build chose; to be kept for the next ones in place of pins of the same names.
    pub pins: Pins,
    /// How long each part took.
    pub steps: Vec<Step>,
}

/// A slug on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltSlug {
    /// Its name.
    pub digest: Digest,
    /// The size of the image in bytes.
    pub bytes: u64,
    /// The image, in the build's work directory.
    pub image: PathBuf,
}

/// A part of a build and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}
