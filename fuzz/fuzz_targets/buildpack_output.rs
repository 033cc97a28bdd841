//! What a buildpack's `bin/release` and `bin/detect` print, and an app's `.slugignore`, of any bytes: read or left out
//! with a sentence, and what comes out of it is a process table that an agent can run.
#![no_main]

use std::path::Path;

use build::fuzzing::{ignored, processes};
use detection::Outcome;
use libfuzzer_sys::fuzz_target;
use model::procfile::Procfile;

/// Stands between what `bin/release` prints, the Procfile, the `.slugignore` and the trace.
const BETWEEN: u8 = 0x1e;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.split(|byte| *byte == BETWEEN);
    let mut part = || parts.next().unwrap_or_default();
    let (printed, procfile, slugignore) = (String::from_utf8_lossy(part()), part(), part());
    let trace = String::from_utf8_lossy(part()).into_owned();

    let procfile = Procfile::parse(procfile).ok();
    let (table, warnings) = processes(&printed, procfile.as_ref());
    for (process, command) in &table {
        assert!(!command.contains(['\n', '\0']) && !command.trim().is_empty(), "{process}: {command:?}");
    }
    for (process, command) in procfile.iter().flat_map(|procfile| &procfile.types) {
        assert_eq!(table.get(process), Some(command), "the Procfile overrules");
    }
    assert!(!table.is_empty() || !warnings.is_empty(), "nothing to run is told");

    let paths = ["app.py", "docs/a.md", "tests", "a b", "deep/er/x.psd"].map(Path::new);
    let (named, warnings) = ignored(slugignore, &paths);
    assert_eq!(named.len(), paths.len());
    assert!(warnings.len() <= slugignore.len());

    let buildpack = "python".to_owned();
    let attempt = detection::attempt(&Outcome { buildpack, matched: false, said: trace.clone(), trace });
    let words = attempt.looked_for.iter().flat_map(|look| [Some(&look.path), look.note.as_ref()]).flatten();
    for word in words.chain([&attempt.therefore]) {
        assert!(!word.contains(|c: char| c.is_control() && c != '\t'), "{word:?}");
    }
});
