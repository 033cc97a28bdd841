//! Pushes by a real git client over HTTP, through the real hook.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git::{DeployBranch, Moved, ObjectId, Verdict, judge};
use support::{Platform, Push, git_command, words};

const PATIENCE: Duration = Duration::from_secs(60);

fn pushed(push: &Push) -> ObjectId {
    push.request.updates[0].new.unwrap()
}

#[test]
fn words_reach_the_pusher_while_the_push_is_still_going_on() {
    let (go, wait) = tokio::sync::mpsc::channel::<()>(1);
    let wait = Arc::new(tokio::sync::Mutex::new(wait));
    let platform = Platform::start(move |push| {
        let wait = wait.clone();
        async move {
            push.reply.say(b"-----> first\n");
            wait.lock().await.recv().await.unwrap();
            push.reply.say(b"-----> second\n");
            push.accept().await;
        }
    });
    let work = platform.work("work");
    let commit = work.commit("one");
    let mut client = work.command();
    let mut client = client.args(["push", "paas", "main"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(client.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.trim_end() == "remote: -----> first"));
    assert_eq!(platform.repository().branch_tip("main").unwrap(), None, "nothing has moved yet");
    go.try_send(()).unwrap();
    assert!(lines.by_ref().any(|line| line.trim_end() == "remote: -----> second"));
    lines.for_each(drop);
    assert!(client.wait().unwrap().success());
    assert_eq!(platform.repository().branch_tip("main").unwrap(), Some(commit));
}

#[test]
fn a_refused_push_keeps_the_branch_and_says_why() {
    let answers = Mutex::new(vec![false, true]);
    let platform = Platform::start(move |push| {
        let builds = answers.lock().unwrap().pop().unwrap();
        async move {
            push.reply.say(b"the build failed: no Procfile\n");
            if builds { push.accept().await } else { push.refuse("not deployed").await }
        }
    });
    let work = platform.work("work");
    let first = work.commit("one");
    work.git(&["push", "paas", "main"]);
    work.commit("two");
    let output = work.try_git(&["push", "paas", "main"]);
    assert!(!output.status.success());
    let words = words(&output);
    assert!(words.contains("remote: the build failed: no Procfile"), "{words}");
    assert!(words.contains("main -> main (not deployed)"), "{words}");
    assert_eq!(platform.repository().branch_tip("main").unwrap(), Some(first));
}

#[test]
fn force_pushes_empty_commits_tags_branches_and_deletions_are_judged() {
    let platform = Platform::start(|push| async move {
        let (refused, lines) = match judge(&push.request.updates, &DeployBranch::MainOrMaster) {
            Verdict::Deploy(deployment, notes) => {
                (false, [vec![format!("deploying {}", deployment.commit)], notes].concat())
            }
            Verdict::Store(notes) => (false, notes),
            Verdict::Refuse(lines) => (true, lines),
        };
        lines.iter().for_each(|line| push.reply.say(format!("{line}\n").as_bytes()));
        if refused { push.refuse("refused").await } else { push.accept().await }
    });
    let work = platform.work("work");
    let repository = platform.repository();
    work.commit("one");
    work.git(&["push", "paas", "main"]);
    let empty = work.commit("nothing in it");
    assert!(words(&work.try_git(&["push", "paas", "main"])).contains(&format!("remote: deploying {empty}")));

    work.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "other"]);
    assert!(words(&work.try_git(&["push", "paas", "main"])).contains("non-fast-forward"));
    let forced = words(&work.try_git(&["push", "-f", "paas", "main"]));
    assert!(forced.contains("remote: deploying") && forced.contains("(forced update)"), "{forced}");

    work.git(&["tag", "-a", "v1", "-m", "v1"]);
    let tagged = words(&work.try_git(&["push", "paas", "v1"]));
    assert!(tagged.contains("git push paas v1^{commit}:main"), "{tagged}");
    let other = words(&work.try_git(&["push", "paas", "main:grün"]));
    assert!(other.contains("remote: Nothing is deployed: this app deploys the branch main."), "{other}");
    assert!(repository.branch_tip("grün").unwrap().is_some());

    assert!(words(&work.try_git(&["push", "paas", ":main"])).contains("cannot be deleted"));
    assert!(repository.branch_tip("main").unwrap().is_some());
    work.git(&["push", "paas", ":grün", ":v1"]);
    assert_eq!(repository.branch_tip("grün").unwrap(), None);

    let hidden = words(&work.try_git(&["push", "paas", "main:refs/paas/builds/x"]));
    assert!(hidden.contains("hidden ref"), "{hidden}");
}

#[test]
fn push_options_arrive() {
    let (sender, options) = mpsc::channel();
    let platform = Platform::start(move |push| {
        sender.send(push.request.options.clone()).unwrap();
        push.accept()
    });
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "-o", "note=grüße", "-o", "b", "paas", "main"]);
    assert_eq!(options.recv().unwrap(), ["note=grüße", "b"]);
}

/// A server that keeps what is pushed, tidies up in the worst moment, and then moves the branch itself.
fn moving() -> Platform {
    Platform::start(|push| async move {
        let (repository, pushed) = (push.repository.clone(), pushed(&push));
        let commit =
            tokio::task::spawn_blocking(move || repository.keep(pushed, "b1")).await.unwrap().unwrap();
        push.repository.maintain(PATIENCE).await.unwrap();
        let moved = push.repository.advance("main", commit, false).unwrap();
        let fate = if moved == Moved::Moved { Ok(()) } else { Err(format!("{moved:?}")) };
        push.end(vec![fate]).await;
    })
}

#[test]
fn a_shallow_clone_can_push_and_the_result_can_be_cloned_and_maintained() {
    let platform = moving();
    let full = platform.work("full");
    for message in ["one", "two", "three"] {
        full.write("file", message);
        full.commit(message);
    }
    let from = format!("file://{}", full.path.display());
    full.git(&["clone", "-q", "--depth", "1", &from, "../shallow"]);
    let shallow = support::Work { path: platform.dir.path().join("shallow") };
    shallow.git(&["push", &platform.app_url(), "HEAD:main"]);
    let repository = platform.repository();
    let tip = repository.branch_tip("main").unwrap().unwrap();
    platform.runtime.block_on(repository.maintain(PATIENCE)).unwrap();
    full.git(&["clone", "-q", &platform.app_url(), "../again"]);
    let exported =
        repository.export(tip, &platform.dir.path().join("out"), &git::ExportLimits::default()).unwrap();
    assert_eq!(exported.files, 1);
}

#[test]
fn a_shallow_push_goes_forward_from_a_whole_history_and_from_a_shallow_one() {
    let platform = moving();
    let full = platform.work("full");
    full.commit("one");
    full.commit("two");
    full.git(&["push", "-q", "paas", "main"]);
    for name in ["second", "third"] {
        full.git(&["clone", "-q", "--depth", "1", &platform.app_url(), &format!("../{name}")]);
        let shallow = support::Work { path: platform.dir.path().join(name) };
        shallow.commit(name);
        let pushed = shallow.try_git(&["push", &platform.app_url(), "HEAD:main"]);
        assert!(pushed.status.success(), "{}", words(&pushed));
    }
    full.git(&["clone", "-q", &platform.app_url(), "../again"]);
    let again = support::Work { path: platform.dir.path().join("again") };
    assert_eq!(again.git(&["log", "--format=%s"]), "third\nsecond\ntwo\none");
}

#[test]
fn a_push_that_is_too_large_is_told_so_and_leaves_nothing_behind() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let mut noise = vec![0; 3 * usize::try_from(support::LIMIT).unwrap()];
    getrandom::fill(&mut noise).unwrap();
    work.write("noise", &noise);
    work.commit("too much");
    let output = work.try_git(&["push", "paas", "main"]);
    let words = words(&output);
    assert!(!output.status.success());
    assert!(words.contains("remote: This push is larger than 9 MB, the limit here."), "{words}");
    assert!(words.contains("(the push is too large)"), "{words}");
    let objects = platform.repository().path().join("objects");
    let left = std::fs::read_dir(objects)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("incoming"));
    assert_eq!(left.count(), 0, "the quarantine is gone");
}

#[test]
fn a_push_that_bypasses_the_server_is_refused() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.commit("one");
    let past_the_server = platform.repository().path().display().to_string();
    let output = work.try_git(&["push", &past_the_server, "main"]);
    assert!(words(&output).contains("only through its server"), "{}", words(&output));
    assert_eq!(platform.repository().branch_tip("main").unwrap(), None);
}

#[test]
fn an_atomic_push_moves_all_or_nothing_and_another_what_it_can() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "-q", "paas", "main:a", "main:b"]);
    let two = work.commit("two");
    // `a/x` cannot be beside `a`.
    let pushed = work.try_git(&["push", "--atomic", "paas", "main:a/x", "main:b"]);
    assert!(!pushed.status.success(), "{}", words(&pushed));
    assert_ne!(platform.repository().branch_tip("b").unwrap(), Some(two));
    let pushed = work.try_git(&["push", "paas", "main:a/x", "main:b"]);
    assert!(!pushed.status.success() && words(&pushed).contains("main -> a/x"), "{}", words(&pushed));
    assert_eq!(platform.repository().branch_tip("b").unwrap(), Some(two));
    work.git(&["push", "--atomic", "-q", "paas", ":a", "main:c"]);
    assert_eq!(platform.repository().branch_tip("a").unwrap(), None);
}

#[test]
fn nothing_is_left_of_a_push_but_its_references() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "-q", "paas", "main", "main:other"]);
    let left =
        git_command(platform.repository().path()).args(["for-each-ref", "--format=%(refname)"]).output();
    assert_eq!(String::from_utf8(left.unwrap().stdout).unwrap(), "refs/heads/main\nrefs/heads/other\n");
}

#[test]
fn a_client_that_leaves_loses_nothing() {
    let (sender, events) = mpsc::channel();
    let platform = Platform::start(move |push| {
        let sender = sender.clone();
        async move {
            let commit = push.repository.keep(pushed(&push), "b1").unwrap();
            sender.send("kept").unwrap();
            push.reply.gone().await;
            assert_eq!(push.repository.advance("main", commit, false).unwrap(), Moved::Moved);
            assert_eq!(push.repository.advance("main", commit, false).unwrap(), Moved::Already);
            push.end(vec![Ok(())]).await;
            sender.send("moved").unwrap();
        }
    });
    let work = platform.work("work");
    work.write("file", "kept");
    let commit = work.commit("one");
    let mut client = work.command();
    std::os::unix::process::CommandExt::process_group(&mut client, 0);
    let mut client = client.args(["push", "paas", "main"]).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(events.recv_timeout(PATIENCE).unwrap(), "kept");
    let group = rustix::process::Pid::from_child(&client);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    client.wait().unwrap();
    assert_eq!(events.recv_timeout(PATIENCE).unwrap(), "moved");

    let repository = platform.repository();
    assert_eq!(repository.kept_builds().unwrap(), [("b1".to_owned(), commit)]);
    repository.forget_build("b1").unwrap();
    repository.recover().unwrap();
    platform.runtime.block_on(repository.maintain(PATIENCE)).unwrap();
    work.git(&["clone", "-q", &platform.app_url(), "../again"]);
    assert_eq!(std::fs::read(platform.dir.path().join("again/file")).unwrap(), b"kept");
}

#[test]
fn a_branch_goes_forward_only_unless_it_is_forced() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let first = work.commit("one");
    work.git(&["push", "paas", "main"]);
    let second = work.commit("two");
    work.git(&["push", "paas", "main"]);
    let repository = platform.repository();
    assert_eq!(repository.advance("main", first, false).unwrap(), Moved::Refused(second));
    assert_eq!(repository.branch_tip("main").unwrap(), Some(second));
    assert_eq!(repository.advance("main", first, true).unwrap(), Moved::Moved);
    assert_eq!(repository.advance("main", second, false).unwrap(), Moved::Moved);
    assert_eq!(repository.advance("new", first, false).unwrap(), Moved::Moved);
}

#[test]
fn a_branch_that_another_process_holds_for_a_moment_is_waited_for() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let commit = work.commit("one");
    work.git(&["push", "-q", "paas", "main:other"]);
    let lock = platform.repository().path().join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let repository = platform.repository();
    let moving = std::thread::spawn(move || repository.advance("main", commit, false));
    std::thread::yield_now();
    std::fs::remove_file(lock).unwrap();
    assert_eq!(moving.join().unwrap().unwrap(), Moved::Moved);
}

#[test]
fn cloning_works_in_each_protocol_and_gzipped() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    for number in 0..60 {
        let commit = work.commit(&number.to_string());
        work.git(&["tag", &format!("v{number}"), &commit.to_string()]);
    }
    work.git(&["push", "-q", "paas", "main", "--tags"]);
    for version in ["0", "1", "2"] {
        let into = format!("../clone{version}");
        let setting = format!("protocol.version={version}");
        work.git(&["-c", &setting, "clone", "-q", &platform.app_url(), &into]);
        let cloned = support::Work { path: platform.dir.path().join(format!("clone{version}")) };
        assert_eq!(cloned.git(&["rev-list", "--count", "HEAD"]), "60");
    }
    assert!(platform.gzipped_requests() > 0, "60 wants are worth a gzip");
}
