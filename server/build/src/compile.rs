//! Runs `bin/compile` and `bin/release` of the chosen buildpacks in one sandbox, and reads their reports.

use anyhow::Context as _;
use detection::Buildpack;
use model::wording;

use crate::failure::{BuildFailure, FailureKind};
use crate::material::Material;
use crate::report::Report;
use crate::sandboxed::{End, Watch};
use crate::space::Shortage;

const DRIVER: &str = include_str!("compile.sh");

/// Runs the buildpacks in order and returns what each reported.
///
/// # Errors
/// A buildpack that fails, a limit, a cancel.
pub(crate) fn compile(
    material: &Material<'_>,
    watch: &mut Watch<'_>,
    chosen: &[Buildpack],
) -> Result<Vec<Report>, BuildFailure> {
    let names: Vec<_> = chosen.iter().map(|b| format!("{}={}", b.name, b.version)).collect();
    let mut sandbox = material.sandbox(DRIVER, &names)?;
    material.show_all(&mut sandbox)?;
    material.restore(&mut sandbox)?;
    let end = watch.run(&sandbox).context("the buildpacks could not be run")?;
    let reports: Vec<_> = chosen.iter().map(|b| Report::read(&material.report(&b.name))).collect();
    let failure = match end {
        End::Exited(0) => {
            let paths: Vec<_> = reports.iter().flat_map(|report| report.discard.clone()).collect();
            material.discard(&paths)?;
            return Ok(reports);
        }
        End::Exited(status) => failed(status, chosen, &reports),
        end => ended(end, material),
    };
    keep_all(material, &reports);
    Err(failure)
}

/// Keeps what the buildpacks asked for. A build is not worse for it if that fails, only the next one slower.
pub(crate) fn keep_all(material: &Material<'_>, reports: &[Report]) {
    let paths: Vec<_> = reports.iter().flat_map(|report| report.keep.clone()).collect();
    if let Err(error) = material.keep(&paths) {
        tracing::warn!(error = format!("{error:#}"), "nothing is kept for the next build");
    }
}

/// Returns the failure of a program that was ended by the platform.
pub(crate) fn ended(end: End, material: &Material<'_>) -> BuildFailure {
    let limits = material.request.limits;
    match end {
        End::Cancelled => BuildFailure::new(FailureKind::Cancelled, "the build was cancelled"),
        End::TimedOut => {
            let reason = format!("the build was stopped after {} s, its limit", limits.seconds);
            BuildFailure::new(FailureKind::TimedOut, reason).hint(
                "the last lines above show what it was doing; the platform's operator can raise the limit",
            )
        }
        End::OutOfMemory => {
            let reason = format!("the build needed more than {} MB of memory, its limit", limits.memory_mb);
            BuildFailure::new(FailureKind::OutOfMemory, reason)
                .hint("its files in /tmp count too; the platform's operator can raise the limit")
        }
        End::Disk(shortage) => no_room(shortage, limits.disk_bytes),
        End::Exited(status) => {
            BuildFailure::new(FailureKind::Ours, format!("the build's sandbox ended with status {status}"))
                .hint("push again; if it stays, tell the platform's operator")
        }
    }
}

fn no_room(shortage: Shortage, limit: u64) -> BuildFailure {
    const OPERATOR: &str = "tell the platform's operator, who frees space or lowers --reserve-mb";
    let (reason, hint) = match shortage {
        Shortage::OverLimit(bytes) => (
            format!("the build takes {} MB of disk, its limit is {} MB", bytes >> 20, limit >> 20),
            "source, packages and cache count; `git push -o clear-cache` empties the cache",
        ),
        Shortage::Full { free, floor } => {
            let (free, floor) = (wording::bytes(free), wording::bytes(floor));
            (format!("the server's disk has {free} free, and builds stop below {floor}"), OPERATOR)
        }
        Shortage::Files { free, floor } => (
            format!("the server's disk has room for {free} more files, and builds stop below {floor}"),
            "tell the platform's operator, who removes what is not needed",
        ),
    };
    BuildFailure::new(FailureKind::DiskFull, reason).hint(hint)
}

fn failed(status: i32, chosen: &[Buildpack], reports: &[Report]) -> BuildFailure {
    let failing =
        chosen.iter().zip(reports).find(|(_, report)| report.status.is_some_and(|status| status != 0));
    let Some((buildpack, report)) = failing else {
        let reason = format!("the build's sandbox ended with status {status} before a buildpack did");
        return BuildFailure::new(FailureKind::Ours, reason);
    };
    let status = report.status.unwrap_or(status);
    let kind = FailureKind::Compile { buildpack: buildpack.name.clone(), status };
    let (reason, hint) = report.failure.clone().unwrap_or_else(|| {
        let reason = format!("the buildpack {} failed with status {status}", buildpack.name);
        (reason, Some("the lines above are its output".into()))
    });
    BuildFailure { hint, ..BuildFailure::new(kind, reason) }
}
