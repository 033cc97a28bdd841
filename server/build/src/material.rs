//! Lays out what a build needs on disk, and decides what its sandboxes see of it.
//!
//! Inside: `/app` the source, `/tmp/cache` the app's cache, `/tmp/buildpacks` fresh copies, `/tmp/pins` and
//! `/tmp/report`, and the platform's tools in `/opt/paas/bin`. Config vars never touch the disk: they travel in
//! the environment of the driver, which writes them to the sandbox's own `/tmp/env`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use detection::Buildpack;
use model::pins::Pins;
use sandbox::{Bind, Environment, HostFacts, Identity, Limits, Privilege, Sandbox};

use crate::certificates::certificate_binds;
use crate::group;
use crate::keep;
use crate::request::BuildRequest;
use crate::tools::Tools;
use crate::tree::{Amount, give_away};

/// The share of the CPU under contention; the smallest replica has 1024, so what serves goes before what is built.
const CPU_SHARES: u32 = 128;

/// The prefix under which config vars reach the driver.
pub(crate) const CONFIG_PREFIX: &str = "BUILD_VAR_";

/// The directories of one build on the host.
#[derive(Debug)]
pub(crate) struct Material<'a> {
    pub(crate) request: &'a BuildRequest,
    pub(crate) host: &'a HostFacts,
    pub(crate) identity: Identity,
    owner: Option<Identity>,
    tools: &'a Tools,
}

impl<'a> Material<'a> {
    /// Makes the directories and gives the source and the cache to the app's user. May be repeated.
    pub(crate) fn prepare(
        request: &'a BuildRequest,
        host: &'a HostFacts,
        tools: &'a Tools,
    ) -> anyhow::Result<(Self, Amount)> {
        let root = host.privilege == Privilege::Root;
        let owner = request.identity.filter(|_| root);
        anyhow::ensure!(!root || owner.is_some(), "a build as root needs a user of its own for the app");
        let identity = owner.or_else(|| Identity::new(1000, 1000)).context("1000 is a user")?;
        let material = Self { request, host, identity, owner, tools };
        for name in ["buildpacks", "pins", "report"] {
            let directory = request.work_dir.join(name);
            sandbox::remove_tree(&directory)
                .with_context(|| format!("cannot clear {}", directory.display()))?;
            fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        material.prepare_cache()?;
        write_pins(&request.work_dir.join("pins"), &request.pins)?;
        let amount = give_away(&request.source, owner).context("cannot give the source to the app's user")?;
        Ok((material, amount))
    }

    /// Writes fresh copies of buildpacks, with a directory for the report of each.
    pub(crate) fn unpack(&self, buildpacks: &[Buildpack]) -> anyhow::Result<()> {
        for buildpack in buildpacks {
            buildpack.unpack(&self.request.work_dir.join("buildpacks").join(&buildpack.name))?;
            fs::create_dir_all(self.report(&buildpack.name))?;
        }
        for name in ["buildpacks", "report"] {
            give_away(&self.request.work_dir.join(name), self.owner)?;
        }
        Ok(())
    }

    /// Returns where a buildpack reports on the host.
    pub(crate) fn report(&self, buildpack: &str) -> PathBuf {
        self.request.work_dir.join("report").join(buildpack)
    }

    /// Moves what an earlier build kept into the source and tells the sandbox of `bin/compile` what that is.
    pub(crate) fn restore(&self, sandbox: &mut Sandbox) -> anyhow::Result<()> {
        let kept = keep::restore(&self.kept(), &self.request.source, self.owner);
        let kept = kept.context("cannot look for what an earlier build kept")?;
        Ok(sandbox.environment.set("KEPT", kept.join("\n"))?)
    }

    /// Moves what a buildpack asked for to where it waits for the next build.
    pub(crate) fn keep(&self, paths: &[String]) -> anyhow::Result<()> {
        keep::keep(&self.kept(), &self.request.source, paths).context("cannot keep what the build asked for")
    }

    /// Moves what a buildpack wants gone out of the source, to be deleted with the work directory.
    pub(crate) fn discard(&self, paths: &[String]) -> anyhow::Result<()> {
        let discarded = self.request.work_dir.join("discarded");
        fs::create_dir_all(&discarded).context("cannot make a directory for what the build discards")?;
        keep::keep(&discarded, &self.request.source, paths)
            .context("cannot take away what the build discards")
    }

    fn kept(&self) -> PathBuf {
        self.request.cache_dir.join("kept")
    }

    /// Returns the name of the build's cgroup.
    pub(crate) fn cgroup(&self) -> String {
        group::name(self.host, self.request.build)
    }

    /// Returns a sandbox that sees the source and the buildpacks and runs a driver for these buildpacks.
    pub(crate) fn sandbox(&self, driver: &str, names: &[String]) -> anyhow::Result<Sandbox> {
        let script = ["bash", "-c", driver, "build"].map(str::to_owned);
        let mut sandbox = Sandbox::new(self.identity, script.into_iter().chain(names.iter().cloned()));
        let work = &self.request.work_dir;
        sandbox.binds = vec![
            Bind::read_write(work.join("buildpacks"), "/tmp/buildpacks"),
            Bind::read_write(work.join("report"), "/tmp/report"),
        ];
        sandbox.hostname = Some(self.request.app_name.to_string());
        sandbox.environment = self.environment()?;
        sandbox.limits = self.limits();
        sandbox.cgroup = Some(self.cgroup());
        Ok(sandbox)
    }

    /// Shows the sandbox of `bin/compile` what only that may see: the cache, pins, tools and config vars.
    pub(crate) fn show_all(&self, sandbox: &mut Sandbox) -> anyhow::Result<()> {
        let request = self.request;
        sandbox.binds.extend([
            Bind::read_write(&request.source, "/app"),
            Bind::read_write(request.cache_dir.join("shared"), "/tmp/cache"),
            Bind::read_only(request.work_dir.join("pins"), "/tmp/pins"),
        ]);
        sandbox.binds.extend(
            self.tools
                .named()
                .map(|(name, path)| Bind::read_only(path, Path::new("/opt/paas/bin").join(name))),
        );
        sandbox.binds.extend(certificate_binds(&request.build_env));
        if let Some(version) = self.tools.uv_version() {
            sandbox.environment.set("PAAS_UV_VERSION", version)?;
        }
        for (name, value) in &request.build_env {
            sandbox.environment.set(name.clone(), value)?;
        }
        for (name, value) in request.config.iter() {
            sandbox.environment.set(format!("{CONFIG_PREFIX}{name}"), OsStr::from_bytes(value.reveal()))?;
        }
        Ok(())
    }

    fn environment(&self) -> anyhow::Result<Environment> {
        let mut environment = Environment::base();
        let path = "/opt/paas/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        environment.set("PATH", path)?;
        environment.set("STACK", &self.host.stack)?;
        environment.set("SOURCE_VERSION", &self.request.commit)?;
        environment.set("REQUEST_ID", self.request.build.to_string())?;
        Ok(environment)
    }

    fn limits(&self) -> Limits {
        let limits = self.request.limits;
        Limits {
            memory_bytes: Some(limits.memory_mb << 20),
            cpu_shares: Some(CPU_SHARES),
            pids: Some(limits.pids),
            file_bytes: Some(limits.disk_bytes),
            ..Limits::default()
        }
    }

    /// The cache is used in place: the built-in buildpacks keep in it only what is sound at any moment, such as
    /// uv's own cache. What must be whole they have the platform keep, see `keep`.
    fn prepare_cache(&self) -> anyhow::Result<()> {
        let cache = &self.request.cache_dir;
        if self.request.clear_cache {
            sandbox::remove_tree(cache).with_context(|| format!("cannot clear {}", cache.display()))?;
        }
        let shared = cache.join("shared");
        fs::create_dir_all(&shared).with_context(|| format!("cannot make {}", shared.display()))?;
        if let Some(owner) = self.owner {
            let (uid, gid) = (Some(owner.uid()), Some(owner.gid()));
            std::os::unix::fs::lchown(&shared, uid, gid)
                .context("cannot give the cache to the app's user")?;
        }
        Ok(())
    }
}

fn write_pins(directory: &Path, pins: &Pins) -> anyhow::Result<()> {
    let plain = |name: &str| name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    for (name, pin) in pins.iter().filter(|(name, _)| plain(name)) {
        let pin_directory = directory.join(name);
        fs::create_dir_all(&pin_directory)?;
        fs::write(pin_directory.join("version"), &pin.version)?;
        fs::write(pin_directory.join("origin"), &pin.origin)?;
        fs::write(pin_directory.join("requested"), pin.requested.as_deref().unwrap_or_default())?;
    }
    Ok(())
}
