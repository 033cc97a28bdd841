//! The steps at which a test may kill the server, to see that the next one finishes or undoes what this one was at.
//!
//! `PAASD_FAIL_POINT` names the step; a process that comes to it ends as by `kill -9`. A build without debug assertions, and
//! so every release, has neither the names nor a look at the environment.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

macro_rules! steps {
    ($($(#[$doc:meta])+ $step:ident = $name:literal,)+) => {
        /// A moment after, or just before, something is on disk.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Step { $($(#[$doc])+ $step,)+ }

        #[cfg(debug_assertions)]
        impl Step {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$step,)+];

            /// Returns what it is called in `PAASD_FAIL_POINT`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$step => $name,)+ }
            }
        }
    };
}

steps! {
    /// An app has its row and nothing else.
    AppMade = "app-made",
    /// The objects of a push are taken in; nothing is known of them.
    ObjectsIn = "objects-in",
    /// The pushed commit is kept for a build that is not queued.
    CommitKept = "commit-kept",
    /// The build has its row.
    BuildQueued = "build-queued",
    /// A build that a server died during is queued again.
    BuildRequeued = "build-requeued",
    /// The build is marked as running.
    BuildRunning = "build-running",
    /// The source is written out.
    SourceWritten = "source-written",
    /// The processes of the build run.
    BuildCompiling = "build-compiling",
    /// The image is made, beside the build.
    SlugPacked = "slug-packed",
    /// The image is in the store; no row speaks of it.
    SlugStored = "slug-stored",
    /// The release and its operation are written and not committed.
    ReleaseWritten = "release-written",
    /// The release and its operation are committed.
    ReleaseMade = "release-made",
    /// The release command has its row; no host knows of it.
    ReleaseCommandWished = "release-command-wished",
    /// The end of the release command is seen and noted.
    ReleaseCommandDone = "release-command-done",
    /// A replica has its row; no host knows of it.
    ReplicaWished = "replica-wished",
    /// A replica has a directory, its files and a disk.
    ReplicaPrepared = "replica-prepared",
    /// The slug is mounted; nothing is laid over it.
    SlugMounted = "slug-mounted",
    /// A supervisor is started and has no order, or a container waits for the word to become its program.
    SupervisorStarted = "supervisor-started",
    /// A replica runs; its host has not heard so.
    ReplicaStarted = "replica-started",
    /// A new replica is seen to be healthy.
    ReplicaHealthy = "replica-healthy",
    /// The change of what serves is written and not committed.
    SwitchWritten = "switch-written",
    /// The new release serves, and its operation has ended.
    Switched = "switched",
    /// The operation has failed.
    RolloutFailed = "rollout-failed",
    /// The commit serves; its branch is not moved.
    BranchBehind = "branch-behind",
    /// The branch is moved; the commit is still kept for its build.
    BranchMoved = "branch-moved",
    /// All is done but the answer.
    Answering = "answering",
    /// A changed formation is committed.
    Scaled = "scaled",
    /// A release of changed config vars is committed.
    ConfigChanged = "config-changed",
    /// A release of an older slug is committed.
    RolledBack = "rolled-back",
    /// A restart is committed.
    RestartBegun = "restart-begun",
    /// A replica is to leave the table.
    DrainWished = "drain-wished",
    /// A replica is to end.
    StopWished = "stop-wished",
    /// A replica is told to end.
    ReplicaStopping = "replica-stopping",
    /// A replica has ended; its disk is gone and its mounts are not.
    ReplicaClearing = "replica-clearing",
    /// A replica's mounts are gone; its directory is not.
    ReplicaCleared = "replica-cleared",
    /// A replica's row is gone.
    ReplicaForgotten = "replica-forgotten",
    /// A release that did not stand its watch is failed, and its successor made.
    Reverted = "reverted",
    /// A slug is given up; its image is there.
    SlugGivenUp = "slug-given-up",
    /// The image is gone.
    ImageRemoved = "image-removed",
    /// The app is destroyed; all its files are there.
    AppDestroyed = "app-destroyed",
    /// One of a destroyed app's directories is gone.
    AppDirectoryGone = "app-directory-gone",
}

/// Ends this process as by `kill -9` if it was chosen for this step.
#[inline]
pub fn reach(step: Step) {
    #[cfg(debug_assertions)]
    chosen::die_at(step);
    #[cfg(not(debug_assertions))]
    let _ = step;
}

#[cfg(debug_assertions)]
mod chosen {
    use std::sync::OnceLock;

    use super::Step;

    static CHOSEN: OnceLock<Option<Step>> = OnceLock::new();

    pub(super) fn die_at(step: Step) {
        if *CHOSEN.get_or_init(read) == Some(step) {
            // No thread of this process runs another instruction of its own after this.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }

    fn read() -> Option<Step> {
        let name = std::env::var("PAASD_FAIL_POINT").ok()?;
        Step::ALL.iter().copied().find(|step| step.name() == name)
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::*;

    const CHILD: &str = "FAIL_POINT_TEST_CHILD";

    #[test]
    fn only_the_process_that_was_chosen_dies_and_only_at_its_step() {
        if std::env::var_os(CHILD).is_some() {
            reach(Step::ObjectsIn);
            reach(Step::Switched);
            return;
        }
        let run = |step: Option<Step>| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.arg("only_the_process_that_was_chosen").env(CHILD, "1");
            child.envs(step.map(|step| ("PAASD_FAIL_POINT", step.name())));
            child.output().unwrap().status
        };
        assert!(run(None).success() && run(Some(Step::Answering)).success());
        assert_eq!(run(Some(Step::Switched)).signal(), Some(9));
    }

    #[test]
    fn names_are_told_apart() {
        let names: BTreeSet<_> = Step::ALL.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
    }

    #[test]
    fn what_is_released_is_built_without_them() {
        let manifest = include_str!("../../../Cargo.toml");
        let releases = manifest.split("[profile.").skip(1).filter(|profile| !profile.starts_with("dev"));
        for profile in releases {
            assert!(!profile.contains("debug-assertions"), "[profile.{profile}");
        }
    }
}
