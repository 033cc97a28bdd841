//! A detection as people read it: what was looked for, what was found, what follows. The words are those of the build
//! log.

use model::detection::{DetectionTrace, VersionChoice};

use crate::screen::{Screen, Tone};

/// Returns the lines that explain a detection.
pub(super) fn described(screen: &Screen, trace: &DetectionTrace) -> String {
    let tone = if trace.chosen.is_some() { Tone::Good } else { Tone::Bad };
    let mut lines: Vec<String> = detection::explain(trace)
        .iter()
        .map(|line| crate::lines::shown(screen, line))
        .map(|line| if line.starts_with("=> ") { screen.paint(tone, &line) } else { line })
        .collect();
    lines.extend(trace.versions.iter().map(version));
    let process = |process: &model::detection::ProcessOrigin| {
        format!("{} runs `{}` ({})", process.process, process.command, process.origin)
    };
    lines.extend(trace.processes.iter().map(process));
    lines.join("\n")
}

fn version(choice: &VersionChoice) -> String {
    let requested =
        choice.requested.as_deref().map(|asked| format!(", asked for {asked}")).unwrap_or_default();
    let pinned = if choice.pinned { ", pinned" } else { "" };
    let newer = choice
        .newer
        .as_deref()
        .map(|newer| format!("; `pins:upgrade` would take {newer}"))
        .unwrap_or_default();
    format!("{} {} ({}{requested}{pinned}){newer}", choice.name, choice.version, choice.origin)
}
