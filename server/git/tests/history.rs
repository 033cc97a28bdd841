//! What is told about commits and about the way between two of them.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use support::Platform;

#[test]
fn a_commit_is_described_safely() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let commit = work.commit("\x1b[31mred\x1b[0m alert\n\nbody");
    work.git(&["push", "-q", "paas", "main"]);
    let facts = platform.repository().commit_facts(commit).unwrap();
    assert_eq!((facts.author_name.as_str(), facts.author_email.as_str()), ("Ann", "ann@example.org"));
    assert_eq!(facts.subject, "red alert");
    assert!(facts.time > 1_600_000_000);
    let missing = "1".repeat(40).parse().unwrap();
    assert!(platform.repository().commit_facts(missing).is_err());
}

#[test]
fn two_commits_are_compared_both_ways() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.write("same", "same\n");
    work.write("changed", "one\ntwo\n");
    work.write("gone", "gone\n");
    let older = work.commit("older");
    work.write("changed", "one\n2\nthree\n");
    work.write("image", [0u8, 1, 2]);
    std::fs::remove_file(work.path.join("gone")).unwrap();
    work.commit("between");
    work.write("new", "new\n");
    let newer = work.commit("newer");
    work.git(&["push", "-q", "paas", "main"]);

    let way = platform.repository().compare(older, newer, 50).unwrap();
    let subjects: Vec<_> = way.commits.iter().map(|commit| commit.subject.as_str()).collect();
    assert_eq!(subjects, ["newer", "between"]);
    assert_eq!((way.dropped_commits, way.more_commits, way.incomplete), (0, 0, false));
    let files: Vec<_> =
        way.files.iter().map(|file| (file.path.as_str(), file.status.as_str(), file.lines)).collect();
    assert_eq!(
        files,
        [
            ("changed", "modified", Some((2, 1))),
            ("gone", "deleted", Some((0, 1))),
            ("image", "added", None),
            ("new", "added", Some((1, 0))),
        ]
    );

    let back = platform.repository().compare(newer, older, 1).unwrap();
    assert_eq!((back.commits.len(), back.dropped_commits), (0, 2));
    assert_eq!((back.files.len(), back.more_files), (1, 3));
}

#[test]
fn a_history_with_holes_is_compared_as_far_as_it_goes() {
    let platform = Platform::accepting();
    let full = platform.work("full");
    for message in ["one", "two", "three"] {
        full.commit(message);
    }
    let from = format!("file://{}", full.path.display());
    full.git(&["clone", "-q", "--depth", "1", &from, "../shallow"]);
    let shallow = support::Work { path: platform.dir.path().join("shallow") };
    let older = shallow.git(&["rev-parse", "HEAD"]).parse().unwrap();
    let newer = shallow.commit("four");
    shallow.git(&["push", "-q", &platform.app_url(), "HEAD:main"]);
    let way = platform.repository().compare(older, newer, 50).unwrap();
    assert_eq!((way.commits.len(), way.incomplete), (1, false), "the hole is not between them");

    full.git(&["checkout", "-q", "-b", "other", "HEAD~1"]);
    let other = full.commit("other");
    full.git(&["push", "-q", "paas", "other"]);
    let way = platform.repository().compare(newer, other, 50).unwrap();
    assert_eq!((way.commits[0].subject.as_str(), way.incomplete), ("other", true));
}
