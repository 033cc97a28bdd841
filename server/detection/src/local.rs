//! Detection on the machine of the developer: runs the built-in `bin/detect` scripts, no server and no sandbox.
//!
//! Only the platform's own scripts run, and they read names and small files; the app's code does not run.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use model::detection::{DetectionTrace, ProcessOrigin};
use model::procfile::{PROCFILE_BYTES_MAX, Procfile, ProcfileError};

use crate::{Buildpack, BuildpackError, Listing, Outcome, builtin, verdict};

/// Why nothing can be said about a directory.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// It is not a directory.
    #[error("`{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// The Procfile cannot be used.
    #[error(transparent)]
    Procfile(#[from] ProcfileError),
    /// A buildpack of this program is broken.
    #[error(transparent)]
    Buildpack(#[from] BuildpackError),
    /// A script could not be run.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// Returns what a push of this directory would detect. Blocks for some milliseconds.
///
/// # Errors
/// No directory, an unusable Procfile, or a machine without bash.
pub fn detect_locally(source: &Path) -> Result<DetectionTrace, LocalError> {
    let io = |what| move |source| LocalError::Io { what, source };
    let source = source.canonicalize().map_err(|_| LocalError::NoDirectory(source.to_owned()))?;
    if !source.is_dir() {
        return Err(LocalError::NoDirectory(source));
    }
    let all = builtin()?;
    let work = tempfile::tempdir().map_err(io("make a directory for the buildpacks"))?;
    let mut outcomes = Vec::new();
    for buildpack in &all {
        outcomes.push(try_one(buildpack, &source, work.path()).map_err(io("run a buildpack's bin/detect"))?);
    }
    let mut trace = verdict(&outcomes, &[], &all, &Listing::of(&source));
    trace.processes = procfile(&source)?;
    Ok(trace)
}

fn try_one(buildpack: &Buildpack, source: &Path, work: &Path) -> io::Result<Outcome> {
    let home = work.join(&buildpack.name);
    buildpack.unpack(&home)?;
    let trace = home.join("trace");
    let output = Command::new(home.join("bin/detect"))
        .arg(source)
        .current_dir(&home)
        .env("DETECTION_TRACE", &trace)
        .stdin(Stdio::null())
        .output()?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Outcome {
        buildpack: buildpack.name.clone(),
        matched: output.status.success(),
        trace: std::fs::read_to_string(trace).unwrap_or_default(),
        said,
    })
}

fn procfile(source: &Path) -> Result<Vec<ProcessOrigin>, LocalError> {
    let path = source.join("Procfile");
    let length = std::fs::metadata(&path).map_or(0, |m| m.len());
    if length > PROCFILE_BYTES_MAX as u64 {
        return Err(ProcfileError::TooLong(usize::try_from(length).unwrap_or(usize::MAX)).into());
    }
    let Ok(bytes) = std::fs::read(path) else { return Ok(Vec::new()) };
    let types = Procfile::parse(&bytes)?.types.into_iter();
    let origin = |(process, command): (model::name::ProcessType, String)| ProcessOrigin {
        process: process.to_string(),
        command,
        origin: "Procfile".into(),
    };
    Ok(types.map(origin).collect())
}
