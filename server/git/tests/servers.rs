//! Several servers that share the directory of repositories: what one does, another neither undoes nor clears away.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::fs;

use git::{Moved, Repositories};
use support::Platform;

#[test]
fn a_server_that_slept_moves_no_branch_for_a_build_that_another_has_seen_to() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let first = work.commit("one");
    work.git(&["push", "paas", "main"]);
    let second = work.commit("two");
    work.git(&["push", "paas", "main:aside"]);
    let (awake, asleep) = (platform.repository(), platform.repository());
    awake.keep(second, "b1").unwrap();
    let moved = |moved: anyhow::Result<Option<Moved>>| moved.unwrap();
    assert_eq!(moved(awake.advance_build("b1", "main", second, false)), Some(Moved::Moved));
    assert_eq!(moved(asleep.advance_build("b1", "main", second, false)), Some(Moved::Already));
    awake.forget_build("b1").unwrap();
    // A later push went back, and the branch is where it was before the build.
    assert_eq!(awake.advance("main", first, true).unwrap(), Moved::Moved);
    for forced in [false, true] {
        assert_eq!(moved(asleep.advance_build("b1", "main", second, forced)), None);
    }
    assert_eq!(awake.branch_tip("main").unwrap(), Some(first));
}

#[test]
fn a_server_that_begins_clears_nothing_away_where_another_is_at_work() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "paas", "main"]);
    let root = platform.repository().path().parent().unwrap().to_owned();
    let scratch = root.join(".scratch-of-another");
    fs::create_dir(&scratch).unwrap();
    let beside = Repositories::open(&root).unwrap();
    assert!(scratch.exists(), "the server that made it lives");
    let lock = platform.repository().path().join("refs/heads/main.lock");
    fs::write(&lock, "").unwrap();
    let busy = fs::File::options().append(true).open(platform.repository().path().join("occupied")).unwrap();
    busy.lock_shared().unwrap();
    beside.repository("app").unwrap();
    assert!(lock.exists(), "it may be another server's");
    drop(busy);
    beside.repository("app").unwrap();
    assert!(!lock.exists(), "nobody is at work, so it is nobody's");
    fs::write(&lock, "").unwrap();
    beside.repository("app").unwrap();
    assert!(lock.exists(), "it was looked at already");
    beside.look_again();
    beside.repository("app").unwrap();
    assert!(!lock.exists());
}
