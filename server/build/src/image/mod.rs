//! The build of an app on the stack of container images: its `Dockerfile` becomes an image, and the files of that a slug,
//! which is stored, rolled out, rolled back and collected like any other.

mod context;
mod dockerfile;
mod ignored;

pub use dockerfile::fetched_source;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;
use model::detection::{Attempt, DetectionTrace, Look, VersionChoice};
use model::image::{ImageConfig, SHELL};
use model::name::ProcessType;
use model::pins::Pins;
use model::slug::SlugManifest;
use model::stack::CONTAINER;
use serde_json::json;

use crate::builder::Work;
use crate::compile::ended;
use crate::containers::{Image, ImageOrder, Imaged};
use crate::failure::{BuildFailure, FailureKind};
use crate::material::Material;
use crate::packing;
use crate::processes::{self, Processes};
use crate::release::Release;
use crate::request::BuildOutput;
use crate::tree::read_below;

/// The file that describes the image.
const DOCKERFILE: &str = "Dockerfile";

/// Of what the builder does outside of a build's network.
const BY_ITSELF: &str = "by itself, outside of the network of builds";

/// Returns what is said of an image for which the builder would fetch something by itself.
#[must_use]
pub fn fetches(image: &str, source: &str) -> String {
    let source = model::wording::plain(source, 200);
    format!("ADD in {image} has the builder fetch `{source}` {BY_ITSELF}")
}

/// Where the shell of an image may lie: `/bin` is a link in many.
const SHELLS: [&str; 2] = ["bin/sh", "usr/bin/sh"];
const PASSWD: &str = "etc/passwd";

impl Work<'_> {
    /// Builds the image of the source, and a slug of that.
    pub(crate) fn build_image(&mut self, material: &Material<'_>) -> Result<BuildOutput, BuildFailure> {
        let text = self.find_dockerfile()?;
        if let Some(source) = fetched_source(&text) {
            return Err(self.failed(&fetches("the Dockerfile", &source)));
        }
        self.begin_step("compile");
        let files = self.request.work_dir.join("files.tar");
        let mut image = self.make_image(material, &dockerfile::bases(&text), &files)?;
        self.end_step();
        self.begin_step("pack");
        look_inside(&files, &mut image.config)?;
        let processes = self.processes_of(&image.config)?;
        let about = json!({ "image": image.config, "processes": processes.table }).to_string();
        let slug = packing::pack_image(material, &self.watch, (&files, about.as_bytes(), image.made_at))?;
        self.end_step();
        self.trace.versions = versions(&image);
        self.trace.processes = processes.origins;
        let manifest = SlugManifest {
            processes: processes.table,
            stack: CONTAINER.to_owned(),
            versions: self.trace.versions.clone(),
            image: Some(image.config),
            ..SlugManifest::default()
        };
        self.say_slug(&slug);
        let (trace, steps) = (self.trace.clone(), self.steps.clone());
        Ok(BuildOutput { slug, manifest, trace, pins: Pins::new(), steps })
    }

    fn find_dockerfile(&mut self) -> Result<String, BuildFailure> {
        self.begin_step("detect");
        let failure = |error: std::io::Error| BuildFailure::new(FailureKind::Source, error.to_string());
        let read = read_below(&self.request.source, DOCKERFILE, dockerfile::DOCKERFILE_BYTES_MAX);
        let found = read.map_err(failure)?;
        self.trace = trace(found.is_some());
        self.log.step("The stack of this app is `container`: its Dockerfile says how it is built");
        detection::explain(&self.trace).iter().for_each(|line| self.log.detail(line));
        self.end_step();
        let Some(bytes) = found else {
            let mut failure = BuildFailure::new(FailureKind::NoMatch, self.trace.because.clone());
            failure.hint.clone_from(&self.trace.hint);
            return Err(failure);
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn make_image(
        &mut self,
        material: &Material<'_>,
        bases: &[String],
        files: &Path,
    ) -> Result<Image, BuildFailure> {
        let Some(containers) = self.watch.containers else { return Err(no_docker()) };
        let (request, context) = (self.request, self.request.work_dir.join("context.tar"));
        self.write_context(&context)?;
        self.log.step("Building the image with the Docker Engine");
        let order = ImageOrder {
            app: request.app,
            context: &context,
            bases,
            memory_bytes: request.limits.memory_mb << 20,
            afresh: request.clear_cache,
            files,
            files_bytes: request.limits.disk_bytes,
        };
        fail_point::reach(fail_point::Step::BuildCompiling);
        let (end, imaged) = self.watch.attended(|attendant| containers.make_image(&order, attendant))?;
        if let Some(end) = end {
            return Err(ended(end, material));
        }
        match imaged {
            Imaged::Made(image) => {
                self.log.step(&format!("Image {}", image.config.id));
                Ok(image)
            }
            Imaged::Failed(said) => Err(self.failed(&said)),
            Imaged::TooLarge => {
                let limit = model::wording::bytes(request.limits.disk_bytes);
                let reason = format!("the files of the image are more than {limit}, the limit of a build");
                Err(BuildFailure::new(FailureKind::TooLarge, reason)
                    .hint("copy only what runs into the last stage of the Dockerfile, on a smaller image"))
            }
            Imaged::Stopped => Err(anyhow::anyhow!("a build was ended, and nobody asked for it").into()),
        }
    }

    fn write_context(&self, archive: &Path) -> Result<(), BuildFailure> {
        let source = &self.request.source;
        let read = read_below(source, ".dockerignore", ignored::IGNORE_BYTES_MAX);
        let bytes = read.map_err(|error| BuildFailure::new(FailureKind::Source, error.to_string()))?;
        let ignored = ignored::Ignored::parse(&bytes.unwrap_or_default());
        ignored.warnings.iter().for_each(|warning| self.log.warn(warning));
        let files =
            context::write(source, &ignored, archive).context("cannot write the context of the image")?;
        self.log.detail(&format!(
            "{} for the builder",
            model::wording::count(usize::try_from(files).unwrap_or(usize::MAX), "file")
        ));
        Ok(())
    }

    fn failed(&self, said: &str) -> BuildFailure {
        let kind = FailureKind::Compile { buildpack: CONTAINER.to_owned(), status: 1 };
        let failure = BuildFailure::new(kind, format!("the Dockerfile could not be built: {}", said.trim()));
        if said.trim().ends_with("code: 137") {
            let limit = self.request.limits.memory_mb;
            return failure
                .hint(format!("a step that needs more than {limit} MB of memory is ended like this"));
        }
        if said.contains(BY_ITSELF) {
            return failure.hint("`RUN curl -fLO ADDRESS` fetches in the network of builds; COPY takes files of the repository");
        }
        if said.contains("BuildKit") {
            return failure
                .hint("images are built with Docker's classic builder, which knows no `RUN --mount`");
        }
        failure.hint("the lines above say what failed; `docker build .` tries the same on your machine")
    }

    /// Returns the process types: those of the Procfile, or what the image runs by itself.
    fn processes_of(&self, image: &ImageConfig) -> Result<Processes, BuildFailure> {
        let procfile = self.procfile()?;
        let web = ProcessType::web().to_string();
        let mut release = Release::default();
        match image.command_line() {
            Some(line) if procfile.is_none() => {
                release.because.insert(web.clone(), "ENTRYPOINT and CMD".to_owned());
                release.types.insert(web, line);
            }
            Some(_) => {}
            None => {
                let why = "the image has neither ENTRYPOINT nor CMD".to_owned();
                release.missing.insert(web, why);
            }
        }
        Ok(self.decided(processes::decide(procfile.as_ref(), &release, "the image")))
    }
}

fn trace(found: bool) -> DetectionTrace {
    let look = Look { path: DOCKERFILE.to_owned(), found, note: None };
    let therefore = if found { "its image is built" } else { "there is nothing to build" };
    let (because, hint) = match found {
        true => ("the stack of this app is container".to_owned(), None),
        false => (
            format!("the stack of this app is `{CONTAINER}`, and there is no `{DOCKERFILE}` at the root"),
            Some(format!(
                "add a `{DOCKERFILE}`; or have buildpacks build it again: `paasctl stack` shows their stack, `paasctl stack:set` sets it"
            )),
        ),
    };
    let attempt = Attempt {
        buildpack: CONTAINER.to_owned(),
        looked_for: vec![look],
        matched: found,
        therefore: therefore.to_owned(),
    };
    let chosen = found.then(|| CONTAINER.to_owned());
    DetectionTrace { attempts: vec![attempt], chosen, because, hint, ..DetectionTrace::default() }
}

fn no_docker() -> BuildFailure {
    let reason = "container images are built and run by the Docker engine, and this server has another";
    BuildFailure::new(FailureKind::Source, reason)
        .hint("`paasctl stack:set` goes back to buildpacks; the operator can start the server with `--engine docker`")
}

/// Sees that there is a shell, and where the image's user is at home.
fn look_inside(files: &Path, image: &mut ImageConfig) -> Result<(), BuildFailure> {
    let names = [SHELLS[0], SHELLS[1], PASSWD];
    let archive = File::open(files).context("cannot read the files of the image")?;
    let found = slug::look_up(BufReader::new(archive), &names);
    let found = found.map_err(|error| packing::refused(error, "the files of the image could not be read"))?;
    if !SHELLS.iter().any(|name| found.contains_key(*name)) {
        let reason = format!("the image has no {SHELL}, by which it is given its variables");
        return Err(BuildFailure::new(FailureKind::Source, reason)
            .hint("build on an image with a shell, such as `alpine`, or copy a static busybox to /bin/sh"));
    }
    let users =
        found.get(PASSWD).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    image.home = home(&users, &image.user);
    Ok(())
}

/// Returns the home of an image's user, who is root where it names none, or nothing if the list does not know him.
fn home(users: &str, user: &str) -> String {
    let user = user.split(':').next().filter(|name| !name.is_empty()).unwrap_or("root");
    let of = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, id, _, _, home, ..] = fields[..] else { return None };
        (name == user || id == user).then(|| home.to_owned())
    };
    users.lines().find_map(of).filter(|home| home.starts_with('/')).unwrap_or_default()
}

/// Returns what the image is and begins with, as other builds say which runtimes they have.
fn versions(image: &Image) -> Vec<VersionChoice> {
    let choice = |name: &str, version: &str, origin: &str| VersionChoice {
        name: name.to_owned(),
        requested: None,
        version: version.to_owned(),
        origin: origin.to_owned(),
        pinned: false,
        newer: None,
    };
    let bases = image.bases.iter().map(|(name, digest)| choice(name, digest, "FROM in the Dockerfile"));
    [choice("image", &image.config.id, DOCKERFILE)].into_iter().chain(bases).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_that_of_the_images_user_by_name_or_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\nbad:x:7\nodd:x:8:8::relative:\n";
        for (user, expected) in [
            ("", "/root"),
            ("0", "/root"),
            ("node", "/home/node"),
            ("1000:1000", "/home/node"),
            ("bad", ""),
            ("odd", ""),
            ("nobody", ""),
        ] {
            assert_eq!(home(users, user), expected, "{user}");
        }
    }

    #[test]
    fn the_trace_says_what_was_looked_for_and_what_to_do_without_it() {
        assert_eq!(trace(true).chosen.as_deref(), Some(CONTAINER));
        let lines = detection::explain(&trace(false)).join("\n");
        assert!(lines.contains("not found  Dockerfile") && lines.contains("=> none"), "{lines}");
        assert!(trace(false).hint.unwrap().contains("stack:set"));
    }
}
