//! The cgroups of builds: their names, and the end of those that a killed server left.

use model::id::BuildId;
use sandbox::{Cgroup, HostFacts, SandboxError};

/// Returns the name of a build's cgroup. It tells whose build it is: other servers have groups beside it.
pub(crate) fn name(host: &HostFacts, build: BuildId) -> String {
    format!("{}{build}", prefix(host))
}

/// Returns the name of the cgroup of what fetches a build's source; it goes with those of builds.
pub(crate) fn name_for_source(host: &HostFacts, build: BuildId) -> String {
    format!("{}.source", name(host, build))
}

/// Ends and removes the groups of this server's builds, of which none runs yet. Blocks.
pub(crate) fn clear(host: &HostFacts) {
    let prefix = prefix(host);
    for name in Cgroup::all(&host.cgroups).into_iter().filter(|name| name.starts_with(&prefix)) {
        if let Err(error) = Cgroup::named(&host.cgroups, &name).and_then(end) {
            tracing::warn!(%error, "the cgroup of an earlier build stays behind");
        }
    }
}

fn end(group: Cgroup) -> Result<(), SandboxError> {
    group.kill()?;
    group.remove()
}

fn prefix(host: &HostFacts) -> String {
    format!("build.{}.", sandbox::mark(&host.generated))
}

#[cfg(test)]
mod tests {
    use sandbox::Limits;

    use super::*;

    #[test]
    fn what_a_killed_server_left_of_its_builds_goes_and_what_is_of_another_stays() {
        let [own, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [own, other] = [own.path(), other.path()].map(|path| HostFacts::detect(path).unwrap());
        let create = |host: &HostFacts| {
            let name = name(host, BuildId::new());
            Cgroup::create(&host.cgroups, &name, &Limits::default()).unwrap();
            name
        };
        let (left, foreign) = (create(&own), create(&other));
        // Where there are no cgroups there is nothing to leave.
        let there = !Cgroup::all(&own.cgroups).is_empty();
        clear(&own);
        let names = Cgroup::all(&own.cgroups);
        assert!(!names.contains(&left) && names.contains(&foreign) == there);
        clear(&other);
        assert!(!Cgroup::all(&own.cgroups).contains(&foreign));
    }
}
