//! Puts a detection into words: what the build log and `paasctl detect` show.

use model::detection::{Attempt, DetectionTrace, Look};

/// Columns that a line of names may fill.
const WIDTH: usize = 96;

/// Returns the lines that explain a detection, without indentation.
#[must_use]
pub fn explain(trace: &DetectionTrace) -> Vec<String> {
    let column = trace.attempts.iter().map(|a| a.buildpack.chars().count()).max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for attempt in &trace.attempts {
        lines.extend(explain_attempt(attempt, column));
    }
    match &trace.chosen {
        Some(chosen) => lines.push(format!("=> {chosen}: {}", trace.because)),
        None => lines.push(format!("=> none: {}", trace.because)),
    }
    lines
}

fn explain_attempt(attempt: &Attempt, column: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for look in attempt.looked_for.iter().filter(|look| look.found) {
        rows.push(format!("found      {}", found(look)));
    }
    let absent: Vec<_> = attempt.looked_for.iter().filter(|look| !look.found).collect();
    for (index, row) in wrapped(&absent, column + 11).into_iter().enumerate() {
        rows.push(format!("{:<11}{row}", if index == 0 { "not found" } else { "" }));
    }
    rows.push(format!("therefore  {}", attempt.therefore));
    let label = |index: usize| if index == 0 { attempt.buildpack.as_str() } else { "" };
    rows.into_iter().enumerate().map(|(index, row)| format!("{:<column$}{row}", label(index))).collect()
}

fn found(look: &Look) -> String {
    look.note.as_ref().map_or_else(|| look.path.clone(), |note| format!("{} ({note})", look.path))
}

fn wrapped(looks: &[&Look], indent: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for look in looks {
        match rows.last_mut() {
            Some(row) if indent + row.chars().count() + look.path.chars().count() + 2 <= WIDTH => {
                row.push_str(", ");
                row.push_str(&look.path);
            }
            Some(row) => {
                row.push(',');
                rows.push(look.path.clone());
            }
            None => rows.push(look.path.clone()),
        }
    }
    rows
}
