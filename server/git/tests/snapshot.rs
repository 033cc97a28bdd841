//! A snapshot is whole whatever happens to the repository meanwhile, and becomes a repository again.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use git::{Repositories, Repository, snapshot, walk};

fn run(dir: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]);
    let output = git.args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a repository whose branch grows by a commit.
fn commit(repository: &Repository, text: &str) {
    let path = repository.path();
    let mut child = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let parent = match repository.branch_tip("main").unwrap() {
        Some(tip) => format!("from {tip}\n"),
        None => String::new(),
    };
    let size = text.len();
    write!(
        child.stdin.take().unwrap(),
        "commit refs/heads/main\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata {size}\n{text}\n{parent}\
         M 100644 inline file\ndata {size}\n{text}\n\ndone\n"
    )
    .unwrap();
    assert!(child.wait().unwrap().success());
}

fn restored(dir: &Path, files: &[(String, std::path::PathBuf)]) -> Repository {
    let made = Repositories::open(&dir.join("restored")).unwrap().create("app", "other").unwrap();
    for (name, path) in files {
        made.put_back(name, &mut File::open(path).unwrap()).unwrap();
    }
    made
}

#[tokio::test]
async fn a_snapshot_becomes_a_repository_with_all_branches_and_its_head() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Repositories::open(&dir.path().join("repos")).unwrap().create("app", "main").unwrap();
    for text in ["one", "two"] {
        commit(&repository, text);
    }
    run(repository.path(), &["branch", "feature/a", "main~1"]);
    run(repository.path(), &["gc", "--quiet"]);
    commit(&repository, "three");
    run(repository.path(), &["tag", "-a", "v1", "-m", "first", "main"]);
    run(repository.path(), &["update-ref", "refs/paas/builds/b1", "main"]);
    run(repository.path(), &["update-ref", "refs/paas/incoming/x", "main"]);
    let into = dir.path().join("snapshot");
    let taken = snapshot(repository.path(), &into).unwrap();
    walk(&into).await.unwrap();
    // The one it was taken of may go.
    fs::remove_dir_all(dir.path().join("repos")).unwrap();
    let made = restored(dir.path(), &taken.files);
    assert_eq!(run(made.path(), &["log", "--format=%s", "main"]), "three\ntwo\none");
    assert_eq!(run(made.path(), &["symbolic-ref", "HEAD"]), "refs/heads/main");
    let references = run(made.path(), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(references, "refs/heads/feature/a\nrefs/heads/main\nrefs/paas/builds/b1\nrefs/tags/v1");
    run(made.path(), &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_shallow_history_keeps_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let repositories = Repositories::open(&dir.path().join("repos")).unwrap();
    let whole = repositories.create("whole", "main").unwrap();
    for text in ["one", "two", "three"] {
        commit(&whole, text);
    }
    let shallow = repositories.create("shallow", "main").unwrap();
    let from = format!("file://{}", whole.path().display());
    run(
        shallow.path(),
        &["-c", "protocol.file.allow=always", "fetch", "-q", "--depth=2", &from, "main:main"],
    );
    let into = dir.path().join("snapshot");
    let taken = snapshot(shallow.path(), &into).unwrap();
    walk(&into).await.unwrap();
    let made = restored(dir.path(), &taken.files);
    assert_eq!(run(made.path(), &["log", "--format=%s", "main"]), "three\ntwo");
}

#[tokio::test]
async fn what_is_pushed_and_repacked_meanwhile_leaves_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Repositories::open(&dir.path().join("repos")).unwrap().create("app", "main").unwrap();
    commit(&repository, "first");
    let done = AtomicBool::new(false);
    let (repository, done) = (&repository, &done);
    let snapshots = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20 {
                commit(repository, &format!("commit {number}"));
            }
            done.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            while !done.load(Ordering::Relaxed) {
                runtime.block_on(repository.maintain(Duration::from_secs(60))).unwrap();
            }
        });
        let mut snapshots = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let into = dir.path().join(format!("snapshot-{}", snapshots.len()));
            snapshot(repository.path(), &into).unwrap();
            snapshots.push(into);
        }
        snapshots
    });
    // Each walk costs a process; some are enough, and the last ones are those with the longest history.
    for into in snapshots.iter().rev().take(30) {
        walk(into).await.unwrap();
    }
    assert!(!snapshots.is_empty());
}

#[tokio::test]
async fn a_hole_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Repositories::open(&dir.path().join("repos")).unwrap().create("app", "main").unwrap();
    commit(&repository, "one");
    let into = dir.path().join("snapshot");
    snapshot(repository.path(), &into).unwrap();
    fs::remove_dir_all(into.join("objects")).unwrap();
    fs::create_dir(into.join("objects")).unwrap();
    assert!(walk(&into).await.is_err());
}

#[test]
fn what_is_no_part_of_a_repository_is_not_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let made = Repositories::open(dir.path()).unwrap().create("app", "main").unwrap();
    let hash = "0".repeat(40);
    let refused = [
        ("config".to_owned(), "[core]\n\thooksPath = /tmp\n"),
        ("hooks/pre-receive".to_owned(), "#!/bin/sh\n"),
        ("pack/../config".to_owned(), ""),
        (format!("pack/pack-{hash}.keep"), ""),
        ("loose/../x".to_owned(), ""),
        ("loose/zz/0".to_owned(), ""),
        ("head".to_owned(), "ref: refs/heads/../../x"),
        ("head".to_owned(), "0000000000000000000000000000000000000000"),
        ("references".to_owned(), "0000000000000000000000000000000000000000 refs/../config\n"),
        ("references".to_owned(), "0000000000000000000000000000000000000000 HEAD\n"),
        ("shallow".to_owned(), "../../x\n"),
    ];
    let before = fs::read_to_string(made.path().join("config")).unwrap();
    for (name, content) in refused {
        assert!(made.put_back(&name, &mut content.as_bytes()).is_err(), "{name}");
    }
    assert_eq!(fs::read_to_string(made.path().join("config")).unwrap(), before);
    let pack = format!("pack/pack-{hash}.pack");
    made.put_back(&pack, &mut &b"x"[..]).unwrap();
    assert!(made.put_back(&pack, &mut &b"y"[..]).is_err(), "none twice");
}
