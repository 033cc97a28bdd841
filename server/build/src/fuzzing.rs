//! Doors into what is private here, for the targets in `fuzz/`. They decide nothing, and are compiled only by
//! cargo-fuzz, which sets `--cfg fuzzing`.

use std::path::Path;

use model::procfile::{ProcessTable, Procfile};

use crate::ignore::Ignored;
use crate::processes;
use crate::release::Release;

/// Returns the process table that follows from what `bin/release` printed and from a Procfile, and the warnings.
pub fn processes(printed: &str, procfile: Option<&Procfile>) -> (ProcessTable, Vec<String>) {
    let decided = processes::decide(procfile, &Release::parse(printed), "a buildpack");
    (decided.table, decided.warnings)
}

/// Returns which of the paths a `.slugignore` names, and the warnings.
pub fn ignored(slugignore: &[u8], paths: &[&Path]) -> (Vec<bool>, Vec<String>) {
    let ignored = Ignored::parse(slugignore);
    (paths.iter().map(|path| ignored.matches(path)).collect(), ignored.warnings)
}
