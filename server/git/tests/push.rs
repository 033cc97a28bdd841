//! Pushes by a real git client over HTTP, through the real hook.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use git::{DeployBranch, Moved, ObjectId, Verdict, judge};
use support::{Platform, Push, words};

fn pushed(push: &Push) -> ObjectId {
    push.request.updates.as_ref().unwrap()[0].new.unwrap()
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
            push.reply.finish(0).await;
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
    let answers = Mutex::new(vec![1, 0]);
    let platform = Platform::start(move |push| {
        let status = answers.lock().unwrap().pop().unwrap();
        async move {
            push.reply.say(b"the build failed: no Procfile\n");
            push.reply.finish(status).await;
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
    assert!(words.contains("pre-receive hook declined"), "{words}");
    assert_eq!(platform.repository().branch_tip("main").unwrap(), Some(first));
}

#[test]
fn force_pushes_empty_commits_tags_branches_and_deletions_are_judged() {
    let platform = Platform::start(|push| async move {
        let (status, lines) = match judge(push.request.updates.as_ref().unwrap(), &DeployBranch::MainOrMaster)
        {
            Verdict::Deploy(deployment, notes) => {
                (0, [vec![format!("deploying {}", deployment.commit)], notes].concat())
            }
            Verdict::Store(notes) => (0, notes),
            Verdict::Refuse(lines) => (1, lines),
        };
        lines.iter().for_each(|line| push.reply.say(format!("{line}\n").as_bytes()));
        push.reply.finish(status).await;
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
        async move {
            push.reply.finish(0).await;
        }
    });
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "-o", "note=grüße", "-o", "b", "paas", "main"]);
    assert_eq!(options.recv().unwrap(), ["note=grüße", "b"]);
}

#[test]
fn a_shallow_clone_can_push_and_the_result_can_be_cloned_and_maintained() {
    let platform = Platform::start(|push| async move {
        let commit = pushed(&push);
        let (repository, request) = (push.repository.clone(), push.request.clone());
        let kept =
            tokio::task::spawn_blocking(move || repository.adopt(&request, commit, "b1")).await.unwrap();
        push.reply.finish(u8::from(kept.is_err())).await;
    });
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
    platform.runtime.block_on(repository.maintain(std::time::Duration::from_secs(60))).unwrap();
    full.git(&["clone", "-q", &platform.app_url(), "../again"]);
    let exported =
        repository.export(tip, &platform.dir.path().join("out"), &git::ExportLimits::default()).unwrap();
    assert_eq!(exported.files, 1);
}

#[test]
fn a_shallow_push_whose_client_left_is_finished_by_the_server() {
    let (sender, events) = mpsc::channel();
    let platform = Platform::start(move |push| {
        let sender = sender.clone();
        async move {
            let commit = pushed(&push);
            push.repository.adopt(&push.request, commit, "b1").unwrap();
            // As git sees it, the same as being killed: it moves nothing and forgets what it was told.
            push.reply.finish(1).await;
            push.ended.cancelled().await;
            push.repository.maintain(std::time::Duration::from_secs(60)).await.unwrap();
            sender.send(push.repository.set_branch("main", commit, None).unwrap()).unwrap();
        }
    });
    let full = platform.work("full");
    full.commit("one");
    full.commit("two");
    let from = format!("file://{}", full.path.display());
    full.git(&["clone", "-q", "--depth", "1", &from, "../shallow"]);
    let shallow = support::Work { path: platform.dir.path().join("shallow") };
    shallow.commit("three");
    assert!(!shallow.try_git(&["push", &platform.app_url(), "HEAD:main"]).status.success());
    assert_eq!(events.recv_timeout(std::time::Duration::from_secs(20)).unwrap(), Moved::Moved);
    full.git(&["clone", "-q", &platform.app_url(), "../again"]);
    let again = support::Work { path: platform.dir.path().join("again") };
    assert_eq!(again.git(&["log", "--format=%s"]), "three\ntwo");
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
    let output = work.try_git(&["-c", "http.extraHeader=x-no-hook: 1", "push", "paas", "main"]);
    assert!(words(&output).contains("only through its server"), "{}", words(&output));
    assert_eq!(platform.repository().branch_tip("main").unwrap(), None);
}

#[test]
fn an_unknown_app_is_told_in_words() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.commit("one");
    let output = work.try_git(&["push", &format!("{}/other.git", platform.url), "main"]);
    assert!(words(&output).contains("fatal: remote error: there is no such app"), "{}", words(&output));
}

#[test]
fn of_two_pushes_at_once_the_second_waits_and_is_not_mixed_in() {
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    let (began, waiting) = mpsc::channel();
    let platform = Platform::start(move |push| {
        let (turn, began) = (turn.clone(), began.clone());
        async move {
            let (go, going) = tokio::sync::oneshot::channel::<()>();
            began.send(go).unwrap();
            going.await.unwrap();
            let _turn = turn.lock().await;
            let update = push.request.updates.as_ref().unwrap()[0].clone();
            if push.repository.branch_tip("main").unwrap() != update.old {
                push.reply.say(b"somebody else has pushed meanwhile\n");
                push.reply.finish(1).await;
                return;
            }
            push.reply.finish(0).await;
            push.ended.cancelled().await;
        }
    });
    let clients: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let work = platform.work(name);
            work.write("file", name);
            work.commit(name);
            std::thread::spawn(move || work.try_git(&["push", "paas", "main"]))
        })
        .collect();
    let both: Vec<_> = waiting.iter().take(2).collect();
    both.into_iter().for_each(|go| go.send(()).unwrap());
    let outputs: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(outputs.iter().filter(|output| output.status.success()).count(), 1);
    let loser = outputs.iter().find(|output| !output.status.success()).unwrap();
    assert!(words(loser).contains("remote: somebody else has pushed meanwhile"), "{}", words(loser));
}

#[test]
fn a_client_that_leaves_loses_nothing() {
    let (sender, events) = mpsc::channel();
    let platform = Platform::start(move |push| {
        let sender = sender.clone();
        async move {
            let commit = pushed(&push);
            push.repository.adopt(&push.request, commit, "b1").unwrap();
            sender.send("adopted").unwrap();
            push.reply.gone().await;
            push.ended.cancelled().await;
            let moved = push.repository.set_branch("main", commit, None).unwrap();
            assert_eq!(moved, Moved::Moved);
            assert_eq!(push.repository.set_branch("main", commit, None).unwrap(), Moved::Already);
            sender.send("moved").unwrap();
        }
    });
    let work = platform.work("work");
    work.write("file", "kept");
    let commit = work.commit("one");
    let mut client = work.command();
    std::os::unix::process::CommandExt::process_group(&mut client, 0);
    let mut client = client.args(["push", "paas", "main"]).stderr(Stdio::null()).spawn().unwrap();
    let patience = std::time::Duration::from_secs(20);
    assert_eq!(events.recv_timeout(patience).unwrap(), "adopted");
    let group = rustix::process::Pid::from_child(&client);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    client.wait().unwrap();
    assert_eq!(events.recv_timeout(patience).unwrap(), "moved");

    let repository = platform.repository();
    let left = std::fs::read_dir(repository.path().join("objects")).unwrap();
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().contains("incoming")));
    assert_eq!(repository.kept_builds().unwrap(), [("b1".to_owned(), commit)]);
    repository.forget_build("b1").unwrap();
    repository.recover().unwrap();
    platform.runtime.block_on(repository.maintain(patience)).unwrap();
    work.git(&["clone", "-q", &platform.app_url(), "../again"]);
    assert_eq!(std::fs::read(platform.dir.path().join("again/file")).unwrap(), b"kept");
}

#[test]
fn a_branch_that_moved_meanwhile_is_not_moved_back() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let first = work.commit("one");
    work.git(&["push", "paas", "main"]);
    let second = work.commit("two");
    work.git(&["push", "paas", "main"]);
    let moved = platform.repository().set_branch("main", first, None).unwrap();
    assert!(matches!(&moved, Moved::Skipped(why) if why.contains("moved meanwhile")), "{moved:?}");
    assert_eq!(platform.repository().branch_tip("main").unwrap(), Some(second));
    assert_eq!(platform.repository().set_branch("main", first, Some(second)).unwrap(), Moved::Moved);
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
