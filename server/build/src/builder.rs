//! One build from source to slug: what happens in which order, and what the log says about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use detection::{Buildpack, builtin, explain};
use model::detection::DetectionTrace;
use model::id::BuildId;
use model::pins::{Pin, Pins};
use model::procfile::{PROCFILE_BYTES_MAX, Procfile};
use model::slug::SlugManifest;
use model::stack::BuildStack;
use sandbox::{Cgroup, HostFacts};
use tokio_util::sync::CancellationToken;

use crate::BuildLog;
use crate::compile::{compile, ended, keep_all};
use crate::containers::Containers;
use crate::detect::detect;
use crate::failure::{BuildFailure, FailureKind};
use crate::group;
use crate::ignore::{IGNORE_BYTES_MAX, Ignored};
use crate::material::Material;
use crate::packing::pack;
use crate::processes::{self, Processes};
use crate::release::Release;
use crate::report::Report;
use crate::request::{BuildOutput, BuildRequest, Step};
use crate::sandboxed::{End, Watch};
use crate::space::Space;
use crate::tools::Tools;
use crate::tree::{Amount, read_below};

/// Runs builds on this host.
#[derive(Debug, Clone)]
pub struct Builder {
    host: Arc<HostFacts>,
    tools: Tools,
    pub(crate) containers: Option<Arc<dyn Containers>>,
}

impl Builder {
    /// Returns a builder for this host with these tools, and ends what a killed server left of its builds. Blocks.
    #[must_use]
    pub fn new(host: Arc<HostFacts>, tools: Tools) -> Self {
        group::clear(&host);
        Self { host, tools, containers: None }
    }

    /// Returns the name of the stack that it builds on, such as `debian-12`.
    #[must_use]
    pub fn stack(&self) -> &str {
        &self.host.stack
    }

    /// Returns the host that it builds on.
    #[must_use]
    pub fn host(&self) -> &Arc<HostFacts> {
        &self.host
    }

    /// Returns the name of the cgroup for what fetches the source of a build.
    #[must_use]
    pub fn source_cgroup(&self, build: BuildId) -> String {
        group::name_for_source(&self.host, build)
    }

    /// Tells whether it can build container images.
    #[must_use]
    pub fn builds_images(&self) -> bool {
        self.containers.is_some()
    }

    /// Has buildpacks run in containers instead of bubblewrap, on the stack of those, and ends what a killed server left
    /// there. Blocks.
    #[must_use]
    pub fn in_containers(self, containers: Arc<dyn Containers>) -> Self {
        containers.clear();
        let host = HostFacts { stack: containers.stack().to_owned(), ..(*self.host).clone() };
        Self { host: Arc::new(host), containers: Some(containers), ..self }
    }

    /// Builds, on a thread of its own, and tells the log what happens. A failure is told there too.
    ///
    /// A cancel takes effect within a second, and nothing of the build outlives this call. The log is not
    /// ended.
    ///
    /// # Errors
    /// See [`FailureKind`].
    pub async fn run(
        &self,
        request: BuildRequest,
        log: &BuildLog,
        cancel: CancellationToken,
    ) -> Result<BuildOutput, BuildFailure> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (builder, log) = (self.clone(), log.clone());
        // A sandbox dies with the thread that started it, so it must not be one of a pool.
        let work = move || drop(sender.send(builder.run_here(&request, &log, &cancel)));
        let thread = std::thread::Builder::new().name("build".into()).spawn(work);
        thread.context("cannot start a thread for the build")?;
        receiver.await.context("the thread of the build died")?
    }

    fn run_here(
        &self,
        request: &BuildRequest,
        log: &BuildLog,
        cancel: &CancellationToken,
    ) -> Result<BuildOutput, BuildFailure> {
        sandbox::leave_host_sockets();
        log.hide_credentials(&request.build_env);
        let tree = match request.stack {
            BuildStack::Buildpacks => &request.source,
            // With the archives of the image.
            BuildStack::Container => &request.work_dir,
        };
        let trees = vec![tree.clone(), request.cache_dir.clone()];
        let watch = Watch {
            host: &self.host,
            containers: self.containers.as_deref(),
            log,
            cancel,
            deadline: Instant::now() + Duration::from_secs(request.limits.seconds),
            space: Space::new(trees, request.limits),
        };
        let (trace, steps) = (DetectionTrace::default(), Vec::new());
        let mut work = Work { request, log, watch, trace, begun: None, steps };
        let result = work.build(&self.tools);
        work.end_step();
        let name = group::name(&self.host, request.build);
        if let Err(error) = Cgroup::named(&self.host.cgroups, &name).and_then(|group| group.remove()) {
            tracing::warn!(%error, "the cgroup of a build stays behind");
        }
        result.map_err(|failure| {
            // A buildpack's words may hold what it was given; they go further than the log.
            let (reason, hint) =
                (log.masked(&failure.reason), failure.hint.as_deref().map(|h| log.masked(h)));
            log.warn(&reason);
            hint.iter().for_each(|hint| log.warn(hint));
            BuildFailure { reason, hint, trace: Box::new(work.trace), steps: work.steps, ..failure }
        })
    }
}

/// A build under way.
pub(crate) struct Work<'a> {
    pub(crate) request: &'a BuildRequest,
    pub(crate) log: &'a BuildLog,
    pub(crate) watch: Watch<'a>,
    pub(crate) trace: DetectionTrace,
    /// The step that is under way.
    begun: Option<(&'static str, Instant)>,
    /// Those that are over.
    pub(crate) steps: Vec<Step>,
}

impl Work<'_> {
    fn build(&mut self, tools: &Tools) -> Result<BuildOutput, BuildFailure> {
        self.begin_step("prepare");
        self.prune_source()?;
        self.procfile()?;
        let host = self.watch.host;
        let (material, amount) = Material::prepare(self.request, host, tools)?;
        self.say_source(amount);
        if self.request.stack == BuildStack::Container {
            return self.build_image(&material);
        }
        let chosen = self.choose(&material)?;

        self.begin_step("compile");
        self.say_buildpacks(&chosen);
        let reports = compile(&material, &mut self.watch, &chosen)?;
        self.steps.extend(reports.iter().flat_map(|report| report.steps.clone()));
        self.end_step();
        let processes = self.processes(&chosen, &reports)?;

        self.begin_step("pack");
        let slug = pack(&material, &self.watch);
        keep_all(&material, &reports);
        let slug = slug?;
        self.end_step();
        self.trace.versions = reports.iter().flat_map(|report| report.versions.clone()).collect();
        self.trace.processes = processes.origins;
        let manifest = SlugManifest {
            processes: processes.table,
            stack: host.stack.clone(),
            versions: self.trace.versions.clone(),
            buildpacks: chosen.iter().map(|b| (b.name.clone(), b.version.clone())).collect(),
            packages: reports.iter().flat_map(|report| report.packages.clone()).collect(),
            image: None,
        };
        self.say_slug(&slug);
        let pins = pins(&chosen, reports);
        Ok(BuildOutput { slug, manifest, trace: self.trace.clone(), pins, steps: self.steps.clone() })
    }

    /// Removes `.git` and what `.slugignore` names.
    fn prune_source(&mut self) -> Result<(), BuildFailure> {
        let source = &self.request.source;
        sandbox::remove_tree(&source.join(".git")).context("cannot remove .git")?;
        let read = read_below(source, ".slugignore", IGNORE_BYTES_MAX);
        let read = read.map_err(|error| BuildFailure::new(FailureKind::Source, error.to_string()))?;
        let Some(bytes) = read else { return Ok(()) };
        let ignored = Ignored::parse(&bytes);
        let removed = ignored.remove_from(source).context("cannot remove what .slugignore names")?;
        self.log.step(&format!("Left out by .slugignore: {removed} files and directories"));
        ignored.warnings.iter().for_each(|warning| self.log.warn(warning));
        Ok(())
    }

    pub(crate) fn procfile(&self) -> Result<Option<Procfile>, BuildFailure> {
        let failure = |reason: String| BuildFailure::new(FailureKind::Source, reason);
        let read = read_below(&self.request.source, "Procfile", PROCFILE_BYTES_MAX);
        let bytes = read.map_err(|error| failure(error.to_string()))?;
        let procfile = bytes.map(|bytes| Procfile::parse(&bytes)).transpose();
        procfile.map_err(|error| failure(error.to_string()).hint(error.hint()))
    }

    fn choose(&mut self, material: &Material<'_>) -> Result<Vec<Buildpack>, BuildFailure> {
        self.begin_step("detect");
        let set = &self.request.buildpacks;
        let candidates = candidates(set)?;
        material.unpack(&candidates)?;
        let (end, trace) = detect(material, &mut self.watch, &candidates, set)?;
        self.trace = trace;
        if end != End::Exited(0) {
            return Err(ended(end, material));
        }
        self.end_step();
        let title = if set.is_empty() {
            "Detecting what this app is"
        } else {
            "Checking the buildpacks set for this app"
        };
        self.log.step(title);
        explain(&self.trace).iter().for_each(|line| self.log.detail(line));
        let Some(name) = self.trace.chosen.clone() else {
            let mut failure = BuildFailure::new(FailureKind::NoMatch, self.trace.because.clone());
            failure.hint.clone_from(&self.trace.hint);
            return Err(failure);
        };
        if std::fs::symlink_metadata(self.request.source.join("Dockerfile"))
            .is_ok_and(|facts| facts.is_file())
        {
            self.log.detail(
                "The Dockerfile is not used: `paasctl stack:set container` has the next push build its image",
            );
        }
        Ok(candidates.into_iter().filter(|b| !set.is_empty() || b.name == name).collect())
    }

    fn processes(&self, chosen: &[Buildpack], reports: &[Report]) -> Result<Processes, BuildFailure> {
        let procfile = self.procfile()?;
        // As on Heroku, the last buildpack's defaults count.
        let release = reports.last().map(|report| Release::parse(&report.release)).unwrap_or_default();
        let name = chosen.last().map_or("", |buildpack| buildpack.name.as_str());
        Ok(self.decided(processes::decide(procfile.as_ref(), &release, name)))
    }

    /// Says what there is to run, and returns it.
    pub(crate) fn decided(&self, processes: Processes) -> Processes {
        self.log.step("Process types");
        for origin in &processes.origins {
            self.log.detail(&format!("{}: {}   ({})", origin.process, origin.command, origin.origin));
        }
        processes.warnings.iter().for_each(|warning| self.log.warn(warning));
        processes
    }

    fn say_source(&self, amount: Amount) {
        let BuildRequest { commit, branch, .. } = self.request;
        let commit: String = commit.chars().take(8).collect();
        let (files, size) = (amount.files, kilobytes(amount.bytes));
        // What was uploaded has none.
        let branch = if branch.is_empty() { String::new() } else { format!(" on {branch}") };
        self.log.step(&format!("Source: commit {commit}{branch}, {files} files, {size}"));
    }

    fn say_buildpacks(&self, chosen: &[Buildpack]) {
        for buildpack in chosen {
            let Buildpack { name, version, .. } = buildpack;
            self.log
                .step(&format!("Building with the buildpack {name} {version} for {}", self.watch.host.stack));
            let pin = self.request.pins.get(&format!("buildpack/{name}"));
            if let Some(pin) = pin.filter(|pin| pin.version != *version) {
                let text =
                    format!("it was {} at the last build; this version came with the platform", pin.version);
                self.log.warn(&text);
            }
        }
    }

    pub(crate) fn say_slug(&self, slug: &crate::BuiltSlug) {
        let size = kilobytes(slug.bytes);
        self.log.step(&format!("Slug {}: {size}", slug.digest.short()));
        let shown = ["prepare", "detect", "compile", "pack"];
        let parts = self.steps.iter().filter(|step| shown.contains(&step.name.as_str()));
        let parts: Vec<_> =
            parts.map(|step| format!("{} {:.2} s", step.name, step.took.as_secs_f64())).collect();
        self.log.detail(&parts.join(", "));
    }

    pub(crate) fn begin_step(&mut self, name: &'static str) {
        self.end_step();
        self.begun = Some((name, Instant::now()));
    }

    pub(crate) fn end_step(&mut self) {
        let ended = self.begun.take();
        self.steps
            .extend(ended.map(|(name, started)| Step { name: name.to_owned(), took: started.elapsed() }));
    }
}

/// Returns the buildpacks to try: those that were set, in their order, or all.
fn candidates(set: &[String]) -> Result<Vec<Buildpack>, BuildFailure> {
    let all = builtin().context("a built-in buildpack cannot be used")?;
    if set.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        let short = name.strip_prefix("heroku/").unwrap_or(name);
        all.iter().find(|buildpack| buildpack.name == short).cloned().ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|buildpack| buildpack.name.as_str()).collect();
            let reason = format!("this platform has no buildpack `{name}`; it has {}", known.join(", "));
            BuildFailure::new(FailureKind::UnknownBuildpack, reason)
                .hint("`paasctl buildpacks:set NAME` sets another, `paasctl buildpacks:clear` lets the platform choose")
        })
    };
    set.iter().map(find).collect()
}

fn pins(chosen: &[Buildpack], reports: Vec<Report>) -> Pins {
    let mut pins: Pins = reports.into_iter().flat_map(|report| report.pins).collect();
    for buildpack in chosen {
        let pin = Pin { version: buildpack.version.clone(), requested: None, origin: "built in".into() };
        pins.insert(format!("buildpack/{}", buildpack.name), pin);
    }
    pins
}

fn kilobytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}
