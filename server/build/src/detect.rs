//! Runs the detection of all candidates in one sandbox that sees the source read-only and no config vars.

use anyhow::Context as _;
use detection::{Buildpack, Listing, Outcome, verdict};
use model::detection::DetectionTrace;
use sandbox::Bind;

use crate::material::Material;
use crate::sandboxed::{End, Watch};
use crate::tree::read_below;

const DRIVER: &str = include_str!("detect.sh");

/// Most bytes of a trace and of what a script says.
const SAID_MAX: usize = 256 * 1024;

/// Returns how the sandbox ended and what was detected.
///
/// `set` are the names of the buildpacks that the app's owner set, if any.
pub(crate) fn detect(
    material: &Material<'_>,
    watch: &mut Watch<'_>,
    candidates: &[Buildpack],
    set: &[String],
) -> anyhow::Result<(End, DetectionTrace)> {
    let names: Vec<_> = candidates.iter().map(|buildpack| buildpack.name.clone()).collect();
    let mut sandbox = material.sandbox(DRIVER, &names)?;
    sandbox.binds.push(Bind::read_only(&material.request.source, "/app"));
    sandbox.network = false;
    let end = watch.run(&sandbox).context("detection could not be run")?;
    let outcomes: Vec<_> = names.iter().map(|name| outcome(material, name)).collect();
    let source = Listing::of(&material.request.source);
    Ok((end, verdict(&outcomes, set, candidates, &source)))
}

fn outcome(material: &Material<'_>, name: &str) -> Outcome {
    let directory = material.report(name);
    let text = |file: &str| {
        let bytes = read_below(&directory, file, SAID_MAX).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Outcome {
        buildpack: name.to_owned(),
        matched: text("detected").trim() == "0",
        trace: text("trace"),
        said: text("said"),
    }
}
