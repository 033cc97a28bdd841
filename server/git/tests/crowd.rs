//! Many clients at once: on one repository, and on several.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use git::Moved;
use support::{Platform, git_command, words};

const CLIENTS: usize = 8;

fn fsck(platform: &Platform, repository: &git::Repository) {
    let fsck = git_command(repository.path()).args(["fsck", "--full", "--strict"]).output().unwrap();
    assert!(fsck.status.success(), "{}", words(&fsck));
    let left = git_command(repository.path()).args(["for-each-ref", "refs/paas"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "nothing is left of the pushes");
    let objects = std::fs::read_dir(repository.path().join("objects/pack")).unwrap();
    let odd = objects.flatten().find(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("tmp_") || name.ends_with(".keep")
    });
    assert!(odd.is_none(), "{odd:?}");
    let scratch = std::fs::read_dir(platform.dir.path().join("repos")).unwrap();
    assert!(scratch.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with(".scratch")));
}

#[test]
fn eight_clients_push_to_one_repository_and_all_of_it_arrives() {
    let platform = Platform::accepting();
    std::thread::scope(|scope| {
        for name in (0..CLIENTS).map(|at| format!("client{at}")) {
            let platform = &platform;
            scope.spawn(move || {
                let work = platform.work(&name);
                for round in 0..5 {
                    work.write("file", format!("{name} {round}"));
                    work.commit(&format!("{name} {round}"));
                    work.git(&[
                        "push",
                        "-q",
                        "paas",
                        &format!("main:{name}"),
                        &format!("main:{name}-{round}"),
                    ]);
                }
            });
        }
    });
    let repository = platform.repository();
    let branches = git_command(repository.path()).args(["branch", "--list"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&branches.stdout).lines().count(), CLIENTS * 6);
    fsck(&platform, &repository);
}

#[test]
fn eight_clients_push_to_eight_repositories() {
    let platform = Platform::accepting();
    std::thread::scope(|scope| {
        for name in (0..CLIENTS).map(|at| format!("app{at}")) {
            let platform = &platform;
            scope.spawn(move || {
                platform.repositories().create(&name, "main").unwrap();
                let work = platform.work(&name);
                let commit = work.commit(&name);
                work.git(&["push", "-q", &format!("{}/{name}.git", platform.url), "main"]);
                let repository = platform.repositories().repository(&name).unwrap();
                assert_eq!(repository.branch_tip("main").unwrap(), Some(commit));
                fsck(platform, &repository);
            });
        }
    });
}

#[test]
fn of_eight_that_push_different_commits_to_one_branch_one_wins_and_of_one_commit_all_do() {
    let platform = Platform::start(|push| async move {
        let update = push.request.updates[0].clone();
        let repository = push.repository.clone();
        let moved = tokio::task::spawn_blocking(move || {
            repository.advance(update.branch().unwrap(), update.new.unwrap(), false).unwrap()
        });
        let fate = match moved.await.unwrap() {
            Moved::Refused(tip) => Err(format!("it is at {tip}")),
            _ => Ok(()),
        };
        push.end(vec![fate]).await;
    });
    let same = platform.work("same");
    let one = same.commit("one");
    let works: Vec<_> = (0..CLIENTS).map(|at| platform.work(&format!("client{at}"))).collect();
    works.iter().enumerate().for_each(|(at, work)| {
        work.commit(&format!("client {at}"));
    });
    let (different, equal) = std::thread::scope(|scope| {
        let push = |work, to| scope.spawn(move || support::Work::try_git(work, &["push", "paas", to]));
        let different: Vec<_> = works.iter().map(|work| push(work, "main:contested")).collect();
        let equal: Vec<_> = works.iter().map(|_| push(&same, "main:shared")).collect();
        let outputs = |clients: Vec<std::thread::ScopedJoinHandle<'_, std::process::Output>>| {
            clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
        };
        (outputs(different), outputs(equal))
    });
    assert_eq!(different.iter().filter(|output| output.status.success()).count(), 1);
    for output in equal {
        assert!(output.status.success(), "{}", words(&output));
    }
    assert_eq!(platform.repository().branch_tip("shared").unwrap(), Some(one));
    fsck(&platform, &platform.repository());
}
