//! Commits written out: ordinary ones, strange ones, hostile ones and large ones.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use git::{ExportError, ExportLimits, ObjectId, Repositories, Repository};
use support::{Platform, Push, git_command, words};

fn empty_repository(dir: &Path) -> Repository {
    Repositories::open(dir).unwrap().create("app", "main").unwrap()
}

/// Writes any bytes as an object, whatever git thinks of them.
fn object(repository: &Repository, kind: &str, content: &[u8]) -> ObjectId {
    let mut command = git_command(repository.path());
    command.args(["hash-object", "-t", kind, "-w", "--literally", "--stdin"]);
    let mut git = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(content).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// Mode, name and object.
type Entry<'a> = (&'a str, &'a [u8], ObjectId);

fn tree(repository: &Repository, entries: &[Entry<'_>]) -> ObjectId {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(mode.as_bytes());
        content.push(b' ');
        content.extend_from_slice(name);
        content.push(0);
        let digits = id.to_string();
        content.extend((0..20).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()));
    }
    object(repository, "tree", &content)
}

fn commit(repository: &Repository, tree: ObjectId) -> ObjectId {
    object(
        repository,
        "commit",
        format!("tree {tree}\nauthor A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\nx\n").as_bytes(),
    )
}

#[test]
fn what_is_written_is_exactly_what_the_commit_holds() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.write(
        ".gitattributes",
        "secret export-ignore\n*.txt text eol=crlf ident\n*.up filter=upper\nsub export-subst\n",
    );
    work.write("secret", "kept");
    work.write("text.txt", "$Id$\nline\n");
    work.write("loud.up", "quiet");
    work.write("grüße/日本 語.txt", "unicode");
    work.write("run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(work.path.join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(work.path.join(std::ffi::OsStr::from_bytes(b"latin-\xe9")), "bytes").unwrap();
    for (target, name) in
        [("/etc/passwd", "outside"), ("../../up", "up"), ("nowhere", "dangling"), ("grüße", "inside")]
    {
        std::os::unix::fs::symlink(target, work.path.join(name)).unwrap();
    }
    let commit = work.commit("one");
    work.git(&["push", "paas", "main"]);
    let into = platform.dir.path().join("out");
    let exported = platform.repository().export(commit, &into, &ExportLimits::default()).unwrap();

    assert_eq!((exported.files, exported.entries), (11, 12));
    let read = |name: &str| std::fs::read_to_string(into.join(name)).unwrap();
    assert_eq!(
        (read("secret"), read("text.txt"), read("loud.up")),
        ("kept".into(), "$Id$\nline\n".into(), "quiet".into())
    );
    assert_eq!(read("grüße/日本 語.txt"), "unicode");
    assert!(into.join(std::ffi::OsStr::from_bytes(b"latin-\xe9")).exists());
    let mode = |name: &str| std::fs::symlink_metadata(into.join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("run.sh"), mode("secret"), mode("grüße")), (0o755, 0o644, 0o755));
    for (target, name) in [("/etc/passwd", "outside"), ("../../up", "up"), ("nowhere", "dangling")] {
        assert_eq!(std::fs::read_link(into.join(name)).unwrap(), PathBuf::from(target));
    }

    let again = platform.repository().export(commit, &into, &ExportLimits::default());
    assert!(matches!(again, Err(ExportError::Write { .. })), "only into an empty directory: {again:?}");
}

#[test]
fn a_hostile_tree_writes_nothing_outside_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(dir.path());
    let blob = object(&repository, "blob", b"x");
    let target = object(&repository, "blob", dir.path().join("victim").as_os_str().as_bytes());
    std::fs::create_dir(dir.path().join("victim")).unwrap();
    let inner = tree(&repository, &[("100644", b"escaped", blob)]);
    let long = [b'n'; 300];
    let hostile: &[(&str, &[Entry<'_>])] = &[
        ("git's own directory", &[("40000", b".git", inner)]),
        ("git's own directory", &[("100644", b".GIT", blob)]),
        ("git's own directory", &[("40000", "\u{200d}.git".as_bytes(), inner)]),
        ("not one of a file", &[("40000", b"..", inner)]),
        ("not one of a file", &[("100644", b".", blob)]),
        ("slash", &[("100644", b"../escaped", blob)]),
        ("slash", &[("100644", b"/tmp/escaped", blob)]),
        ("longer than 255 bytes", &[("100644", &long, blob)]),
        ("could not be written", &[("120000", b"a", target), ("40000", b"a", inner)]),
        ("could not be written", &[("120000", b"escaped", target), ("100644", b"escaped", blob)]),
        ("cannot be read", &[("100644", b"a", "1".repeat(40).parse().unwrap())]),
    ];
    for (number, (expected, entries)) in hostile.iter().enumerate() {
        let commit = commit(&repository, tree(&repository, entries));
        let into = dir.path().join(format!("out{number}"));
        let error = repository.export(commit, &into, &ExportLimits::default()).unwrap_err();
        assert!(error.to_string().contains(expected), "{entries:?}: {error}");
    }
    assert_eq!(std::fs::read_dir(dir.path().join("victim")).unwrap().count(), 0);
    assert!(!dir.path().join("escaped").exists());
}

#[test]
fn a_small_tree_that_unfolds_to_millions_stops_at_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(dir.path());
    let blob = object(&repository, "blob", &[b'x'; 1000]);
    let mut folded = tree(&repository, &[("100644", b"f", blob)]);
    let names: Vec<String> = (0..10).map(|digit| format!("d{digit}")).collect();
    for _ in 0..9 {
        let entries: Vec<_> = names.iter().map(|name| ("40000", name.as_bytes(), folded)).collect();
        folded = tree(&repository, &entries);
    }
    let bomb = commit(&repository, folded);
    let limits = ExportLimits { entries: 1000, bytes: 2_000_000, file_bytes: 2000, reserve_bytes: 0 };
    let error = repository.export(bomb, &dir.path().join("many"), &limits).unwrap_err();
    assert!(matches!(error, ExportError::TooMany(1000)), "{error}");
    let limits = ExportLimits { entries: 100_000, bytes: 100_000, ..limits };
    let error = repository.export(bomb, &dir.path().join("much"), &limits).unwrap_err();
    assert!(matches!(error, ExportError::TooLarge(100_000)), "{error}");
    let limits = ExportLimits { file_bytes: 999, ..limits };
    let error = repository.export(bomb, &dir.path().join("large"), &limits).unwrap_err();
    assert!(matches!(error, ExportError::FileTooLarge { size: 1000, limit: 999, .. }), "{error}");
    let limits = ExportLimits { reserve_bytes: u64::MAX, ..ExportLimits::default() };
    let error = repository.export(bomb, &dir.path().join("full"), &limits).unwrap_err();
    assert!(matches!(error, ExportError::Full(_)), "{error}");
    let mut deep = tree(&repository, &[("100644", b"f", blob)]);
    for _ in 0..150 {
        deep = tree(&repository, &[("40000", b"d", deep)]);
    }
    let error = repository.export(commit(&repository, deep), &dir.path().join("deep"), &limits).unwrap_err();
    assert!(matches!(error, ExportError::Deep(_)), "{error}");
}

#[test]
fn a_hostile_tree_does_not_even_get_in() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.git(&["config", "core.protectHFS", "false"]);
    work.write("f", "x");
    work.commit("one");
    let blob = work.git(&["rev-parse", "HEAD:f"]);
    for name in [".git", ".GIT", ".."] {
        let listing = format!("40000 {name}\0");
        let mut content = listing.into_bytes();
        let inner = work.git(&["rev-parse", "HEAD^{tree}"]);
        content.extend((0..20).map(|at| u8::from_str_radix(&inner[2 * at..2 * at + 2], 16).unwrap()));
        std::fs::write(work.path.join(".git/hostile"), content).unwrap();
        let tree = work.git(&["hash-object", "-t", "tree", "-w", "--literally", ".git/hostile"]);
        let commit = work.git(&["commit-tree", "-m", "x", &tree]);
        let output = work.try_git(&["push", "paas", &format!("{commit}:refs/heads/main")]);
        assert!(!output.status.success(), "{name} {blob}");
        assert!(words(&output).contains("remote: error: object"), "{}", words(&output));
    }
    assert_eq!(platform.repository().branch_tip("main").unwrap(), None);
}

#[test]
fn thousands_of_files_arrive_and_are_written_out_whole() {
    const FILES: usize = 2_000;
    const BYTES_EACH: usize = 2_000;
    let platform = Platform::start_with(1 << 30, Push::accept);
    let work = platform.work("work");
    let mut noise = vec![0; BYTES_EACH];
    for number in 0..FILES {
        getrandom::fill(&mut noise).unwrap();
        work.write(&format!("d{}/f{number}", number % 100), &noise);
    }
    let commit = work.commit("many");
    let output = work.try_git(&["push", "paas", "main"]);
    assert!(output.status.success(), "{}", words(&output));
    let into = platform.dir.path().join("out");
    let exported = platform.repository().export(commit, &into, &ExportLimits::default()).unwrap();
    assert_eq!((exported.files, exported.bytes), (FILES as u64, (FILES * BYTES_EACH) as u64));
}
