//! Decides the process table: the defaults of the last buildpack, overruled type by type by the Procfile.

use model::detection::ProcessOrigin;
use model::name::ProcessType;
use model::procfile::{ProcessTable, Procfile};

use crate::release::Release;

/// The process types of a slug, where each comes from, and what the pusher should know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Processes {
    pub(crate) table: ProcessTable,
    pub(crate) origins: Vec<ProcessOrigin>,
    pub(crate) warnings: Vec<String>,
}

/// Decides the table; `buildpack` is the one whose defaults these are.
pub(crate) fn decide(procfile: Option<&Procfile>, release: &Release, buildpack: &str) -> Processes {
    let mut processes = Processes::default();
    for (name, command) in &release.types {
        let Ok(name) = name.parse::<ProcessType>() else {
            processes.warnings.push(format!("{buildpack} offers a process type with an unusable name"));
            continue;
        };
        let why = release.because.get(name.as_str());
        let origin = why.map_or_else(
            || format!("default of {buildpack}"),
            |why| format!("default of {buildpack}: {why}"),
        );
        processes.add(name, command, origin);
    }
    for (name, command) in procfile.iter().flat_map(|procfile| &procfile.types) {
        processes.add(name.clone(), command, "Procfile".into());
    }
    processes.warnings.extend(procfile.iter().flat_map(|procfile| procfile.warnings.clone()));
    processes.warnings.extend(release.warning.clone());
    // A Procfile without `web` is an app of workers, not a mistake.
    let absent = |name: &String| !processes.table.contains_key(name.as_str());
    if procfile.is_none() {
        let missing = release.missing.iter().filter(|(name, _)| absent(name)).map(|(_, why)| why.clone());
        processes.warnings.extend(missing.collect::<Vec<_>>());
    }
    if processes.table.is_empty() {
        let none = "there is nothing to run: add a Procfile with a line such as `web: COMMAND`";
        processes.warnings.push(none.into());
    }
    processes
}

impl Processes {
    fn add(&mut self, name: ProcessType, command: &str, origin: String) {
        self.origins.retain(|known| known.process != name.as_str());
        self.origins.push(ProcessOrigin { process: name.to_string(), command: command.to_owned(), origin });
        self.origins.sort_by(|a, b| a.process.cmp(&b.process));
        self.table.insert(name, command.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_procfile_overrules_type_by_type_and_other_defaults_stay() {
        let release =
            Release::parse("default_process_types: {web: a, console: c}\nbecause: {console: irb}\n");
        let procfile = Procfile::parse(b"web: mine\nworker: w\n").unwrap();
        let processes = decide(Some(&procfile), &release, "ruby");
        let shown: Vec<_> =
            processes.origins.iter().map(|o| format!("{}={} ({})", o.process, o.command, o.origin)).collect();
        assert_eq!(shown, ["console=c (default of ruby: irb)", "web=mine (Procfile)", "worker=w (Procfile)"]);
        assert_eq!(processes.table.len(), 3);
    }

    #[test]
    fn nothing_to_run_is_told_with_the_reason() {
        let release = Release::parse("missing: {web: no gunicorn}");
        let processes = decide(None, &release, "python");
        assert_eq!(processes.warnings[0], "no gunicorn");
        assert!(processes.warnings[1].contains("nothing to run"));
    }
}
