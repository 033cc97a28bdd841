//! A detection as people read it: what was looked for, what was found, what follows.

use std::fmt::Write as _;

use model::detection::{DetectionTrace, VersionChoice};

use crate::screen::{Screen, Tone};

/// Returns the lines that explain a detection.
pub(super) fn described(screen: &Screen, trace: &DetectionTrace) -> String {
    let mut text = String::new();
    for attempt in &trace.attempts {
        let (word, tone) = if attempt.matched { ("matched", Tone::Good) } else { ("no match", Tone::Faint) };
        let _ = writeln!(text, "{}: {}, {}", attempt.buildpack, screen.paint(tone, word), attempt.therefore);
        for look in &attempt.looked_for {
            let word = if look.found { "found  " } else { "missing" };
            let note = look.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            let _ = writeln!(text, "  {word}  {}{note}", look.path);
        }
    }
    let chosen = trace.chosen.as_deref().unwrap_or("none");
    let tone = if trace.chosen.is_some() { Tone::Good } else { Tone::Bad };
    let _ = writeln!(text, "Chosen: {}, because {}", screen.paint(tone, chosen), because(&trace.because));
    if let Some(hint) = &trace.hint {
        let _ = writeln!(text, "Hint: {hint}");
    }
    for choice in &trace.versions {
        let _ = writeln!(text, "Version: {}", version(choice));
    }
    for process in &trace.processes {
        let _ =
            writeln!(text, "Process: {} runs `{}` ({})", process.process, process.command, process.origin);
    }
    text.trim_end().to_owned()
}

fn because(text: &str) -> &str {
    text.trim_start_matches("because ").trim_end_matches('.')
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
