//! What one run of a replica is, whichever engine runs it: who runs what, where, and how much of the host it may use.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use model::config::ConfigValue;
use model::image::ImageConfig;
use model::replica::ReplicaSpec;
use sandbox::{Bind, Environment, Identity, Limits, Sandbox};
use serde::{Deserialize, Serialize};

use crate::environment;

/// Most processes and threads of a replica.
const PIDS: u32 = 1024;

/// One run of a replica. It holds config, so it has no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct Run {
    /// The replica's name, `web.1`.
    pub(crate) name: String,
    /// The user and group of the app.
    pub(crate) uid: u32,
    /// The writable copy of the slug: `/app`, or of a container image the root of all.
    pub(crate) app: PathBuf,
    /// The container image that it runs in; the stack where there is none.
    #[serde(default)]
    pub(crate) image: Option<ImageConfig>,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// The variables beside the stack's, in order; a later one overrules an earlier one.
    pub(crate) variables: Vec<(String, ConfigValue)>,
    /// The memory limit in MB of 2^20 bytes.
    pub(crate) memory_mb: u64,
    /// The share of the processor under contention.
    pub(crate) cpu_shares: u64,
}

impl Run {
    /// Returns the run of a replica in a tree that it may write to, with the port that it was given.
    #[must_use]
    pub fn of(spec: &ReplicaSpec, port: Option<u16>, app: &Path) -> Self {
        Self {
            name: spec.name(),
            uid: spec.uid,
            app: app.to_owned(),
            command: match &spec.image {
                Some(image) => image.words(&spec.command),
                None => environment::command(&spec.command),
            },
            image: spec.image.clone(),
            variables: environment::variables(spec, port),
            memory_mb: spec.size.memory_mb(),
            cpu_shares: spec.size.cpu_shares(),
        }
    }

    /// Returns the sandbox of the run. That of an image has no binds yet: its tree is the root of all.
    ///
    /// # Errors
    /// It would run as root, or a variable cannot be one.
    pub fn into_sandbox(self) -> Result<Sandbox> {
        let identity = Identity::new(self.uid, self.uid).context("a replica never runs as root")?;
        let mut environment = self.image.as_ref().map_or_else(Environment::base, environment::of_image);
        for (name, value) in &self.variables {
            environment.set(name, OsStr::from_bytes(value.reveal()))?;
        }
        let limits = Limits {
            memory_bytes: Some(self.memory_mb << 20),
            cpu_shares: Some(u32::try_from(self.cpu_shares).unwrap_or(u32::MAX)),
            pids: Some(PIDS),
            ..Limits::default()
        };
        let (binds, workdir) = match &self.image {
            Some(image) => (Vec::new(), PathBuf::from(image.workdir())),
            None => (vec![Bind::read_write(self.app, "/app")], PathBuf::from("/app")),
        };
        Ok(Sandbox {
            binds,
            workdir,
            environment,
            hostname: Some(self.name.replace('_', "-")),
            limits,
            ..Sandbox::new(identity, self.command)
        })
    }
}
