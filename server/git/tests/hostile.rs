//! Pushes that mean harm: what git's checks refuse is refused with advice, names that are none move nothing, and more than
//! anybody needs is bounded.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{Platform, Work, git_command, words};

/// A commit of a tree that git itself would not write: entries of mode, name and object id.
fn commit_of(work: &Work, entries: &[(&str, &[u8], &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend([mode.as_bytes(), b" ", name, b"\0"].concat());
        content.extend((0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()));
    }
    std::fs::write(work.path.join(".git/hostile"), content).unwrap();
    let tree = work.git(&["hash-object", "-t", "tree", "-w", "--literally", ".git/hostile"]);
    work.git(&["commit-tree", "-m", "x", &tree])
}

fn blob(work: &Work, content: &str) -> String {
    std::fs::write(work.path.join(".git/blob"), content).unwrap();
    work.git(&["hash-object", "-w", "--literally", ".git/blob"])
}

/// Pushes a commit that is to be refused, and returns what the client was told.
#[track_caller]
fn refused(platform: &Platform, work: &Work, commit: &str) -> String {
    let output = work.try_git(&["push", "paas", &format!("{commit}:refs/heads/main")]);
    assert!(!output.status.success(), "{}", words(&output));
    assert_eq!(platform.repository().branch_tip("main").unwrap(), None);
    words(&output)
}

#[test]
fn every_spelling_of_gits_own_directory_is_refused() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let inner = commit_of(&work, &[("100644", b"config", &blob(&work, "[core]\n\tfsmonitor = id"))]);
    let inner = work.git(&["rev-parse", &format!("{inner}^{{tree}}")]);
    let names = [
        ".git",
        ".GIT",
        ".Git",
        "git~1",
        "GIT~1",
        ".git ",
        ".git.",
        ".g\u{200c}it",
        "\u{feff}.git",
        "..",
        ".",
    ];
    for name in names {
        let told = refused(&platform, &work, &commit_of(&work, &[("40000", name.as_bytes(), &inner)]));
        assert!(told.contains("remote: error: object"), "{name:?}: {told}");
        assert!(told.contains("git filter-repo") || told.contains("git fsck"), "{name:?}: {told}");
    }
}

#[test]
fn a_gitmodules_with_a_hostile_address_or_name_is_refused_with_advice_also_deep_in_the_history() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    for modules in [
        "[submodule \"a\"]\n\tpath = a\n\turl = --upload-pack=id\n",
        "[submodule \"../../x\"]\n\tpath = a\n\turl = https://example.org/x\n",
        "[submodule \"a\"]\n\tpath = -x\n\turl = https://example.org/x\n",
    ] {
        let bad = commit_of(&work, &[("100644", b".gitmodules", &blob(&work, modules))]);
        let tree = work.git(&["write-tree"]);
        let clean = work.git(&["commit-tree", "-p", &bad, "-m", "removed again", &tree]);
        let told = refused(&platform, &work, &clean);
        assert!(told.contains("gitmodules") && told.contains("git filter-repo"), "{modules}: {told}");
    }
    let link = commit_of(&work, &[("120000", b".gitmodules", &blob(&work, "/etc/passwd"))]);
    assert!(refused(&platform, &work, &link).contains("gitmodules"));
}

#[test]
fn what_a_pack_promises_and_does_not_hold_is_refused() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.write("kept", "1");
    work.write("lost", "2");
    let commit = work.commit("one").to_string();
    let lost = work.git(&["rev-parse", "HEAD:lost"]);
    let objects = work.git(&["rev-list", "--objects", "--no-object-names", "HEAD"]);
    let some: String = objects.lines().filter(|id| *id != lost).map(|id| format!("{id}\n")).collect();
    std::fs::write(work.path.join(".git/some"), some).unwrap();
    let list = std::fs::File::open(work.path.join(".git/some")).unwrap();
    let pack = pack_of(work.command().args(["pack-objects", "--stdout", "-q"]), list);
    let told = send(&platform, &[format!("{} {commit} refs/heads/main", "0".repeat(40))], &pack);
    assert!(told.contains("ng refs/heads/main"), "{told}");
    assert_eq!(platform.repository().branch_tip("main").unwrap(), None);
    work.git(&["push", "-q", "paas", "main"]);
}

fn pack_of(command: &mut std::process::Command, list: std::fs::File) -> Vec<u8> {
    let output = command.stdin(list).output().unwrap();
    assert!(output.status.success(), "{}", words(&output));
    output.stdout
}

/// Sends a push as no client would, and returns the answer's body.
fn send(platform: &Platform, commands: &[String], pack: &[u8]) -> String {
    let mut body = Vec::new();
    for (at, command) in commands.iter().enumerate() {
        let capabilities = if at == 0 { "\0report-status" } else { "" };
        body.extend(format!("{:04x}{command}{capabilities}", command.len() + capabilities.len() + 4).bytes());
    }
    body.extend(b"0000");
    body.extend(pack);
    let host = platform.url.strip_prefix("http://").unwrap();
    let mut server = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /app.git/git-receive-pack HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    server.write_all(head.as_bytes()).unwrap();
    server.write_all(&body).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn names_that_are_none_and_the_servers_own_are_refused_and_the_rest_of_the_push_is_not() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let commit = work.commit("one");
    let pack = {
        std::fs::write(work.path.join(".git/all"), work.git(&["rev-list", "--objects", "HEAD"])).unwrap();
        let list = std::fs::File::open(work.path.join(".git/all")).unwrap();
        pack_of(work.command().args(["pack-objects", "--stdout", "-q"]), list)
    };
    let names = [
        "HEAD",
        "config",
        "../../x",
        "refs/heads/../../config",
        "refs/heads/a.lock",
        "refs/heads/-x~1",
        "refs/heads/a b",
        "refs/paas/builds/x",
        "refs/paas",
        "refs/heads/good",
        "refs/heads/\u{7}",
    ];
    let commands: Vec<_> = names.iter().map(|name| format!("{} {commit} {name}", "0".repeat(40))).collect();
    let told = send(&platform, &commands, &pack);
    assert!(told.contains("unpack ok") && told.contains("ok refs/heads/good"), "{told}");
    assert_eq!(told.lines().filter(|line| line.get(4..7) == Some("ng ")).count(), names.len() - 1, "{told}");
    assert!(!told.contains('\u{7}'));
    let left =
        git_command(platform.repository().path()).args(["for-each-ref", "--format=%(refname)"]).output();
    assert_eq!(String::from_utf8(left.unwrap().stdout).unwrap(), "refs/heads/good\n");
    let deletion = format!("{commit} {} refs/paas/builds/x", "0".repeat(40));
    assert!(send(&platform, &[deletion], b"").contains("ng refs/paas/builds/x deny"), "deleting is moving");
}

#[test]
fn thousands_of_references_are_taken_and_more_are_refused() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let commit = work.commit("one").to_string();
    let lines = |count: usize| -> String {
        (0..count).map(|at| format!("create refs/tags/t{at} {commit}\n")).collect()
    };
    let create = |count: usize| {
        std::fs::write(work.path.join(".git/refs.txt"), lines(count)).unwrap();
        let list = std::fs::File::open(work.path.join(".git/refs.txt")).unwrap();
        pack_of(work.command().args(["update-ref", "--stdin"]), list);
    };
    create(1_000);
    work.git(&["push", "-q", "paas", "--tags"]);
    let there = git_command(platform.repository().path()).arg("for-each-ref").output().unwrap();
    assert_eq!(there.stdout.iter().filter(|byte| **byte == b'\n').count(), 1_000, "and nothing beside them");
    let many: Vec<_> = (0..5_001).map(|at| format!("{} {commit} refs/x/{at}", "0".repeat(40))).collect();
    let told = send(&platform, &many, b"PACK");
    assert!(told.contains("unpack a push may change at most 5000 references"), "{told}");
}

#[test]
fn what_is_no_push_at_all_is_answered_and_harms_nobody() {
    let platform = Platform::accepting();
    let told = send(&platform, &["not a command".to_owned()], b"");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    let told = send(&platform, &[], b"");
    assert!(
        told.ends_with("\r\n\r\n") || told.ends_with("0\r\n\r\n"),
        "a client that asks whether it may push: {told}"
    );
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "-q", "paas", "main"]);
}
