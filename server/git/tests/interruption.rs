//! Pushes that break off anywhere, clients that fall silent, servers that died: nothing is half done, and the next push
//! works.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use git::{Request, ServeLimits};
use support::{Platform, eventually, git_command, words};

/// Stands between a client and the server, and hangs up on both after so many bytes from the client. Returns its URL.
fn cutter(platform: &Platform, after: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/app.git", listener.local_addr().unwrap());
    let server = platform.url.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        let mut left = after;
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
            left -= forward(&client, &server, left);
            if left == 0 {
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                return;
            }
        }
    });
    url
}

fn forward(mut from: &TcpStream, mut to: &TcpStream, most: usize) -> usize {
    let (mut buffer, mut passed) = ([0; 4096], 0);
    while passed < most {
        let room = buffer.len().min(most - passed);
        let Ok(count @ 1..) = from.read(&mut buffer[..room]) else { break };
        passed += count;
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    passed
}

fn quarantines(platform: &Platform) -> usize {
    let objects = fs::read_dir(platform.repository().path().join("objects")).unwrap();
    objects.flatten().filter(|entry| entry.file_name().to_string_lossy().contains("incoming")).count()
}

/// What no push may leave behind, whatever became of it.
fn assert_clean(platform: &Platform) {
    let repository = platform.repository();
    let fsck = git_command(repository.path()).args(["fsck", "--full", "--strict"]).output().unwrap();
    assert!(fsck.status.success(), "{}", words(&fsck));
    let incoming = git_command(repository.path()).args(["for-each-ref", "refs/paas"]).output().unwrap();
    assert_eq!(words(&incoming) + &String::from_utf8_lossy(&incoming.stdout), "");
    for directory in ["", "objects", "objects/pack", "refs/heads", ".."] {
        for entry in fs::read_dir(repository.path().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let odd = [".keep", ".lock", ".scratch", "tmp_", "incoming", "shallow_", ".removed"];
            assert!(!odd.iter().any(|part| name.contains(part)), "{directory}/{name}");
        }
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    getrandom::fill(&mut noise).unwrap();
    noise
}

#[test]
fn a_push_that_breaks_off_at_any_byte_changes_nothing_and_the_next_one_works() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    work.write("noise", noise(60_000));
    let commit = work.commit("one");
    let somewhere = noise(24)
        .chunks(2)
        .map(|at| 1_200 + usize::from(u16::from_le_bytes([at[0], at[1]])) % 59_000)
        .collect::<Vec<_>>();
    let mut broken = 0;
    for after in [100, 400, 700, 1_000, 60_500].into_iter().chain(somewhere.clone()) {
        let output = work.try_git(&["push", &cutter(&platform, after), "main"]);
        broken += usize::from(!output.status.success());
        eventually("the quarantine's end", || quarantines(&platform) == 0);
        assert_eq!(platform.repository().branch_tip("main").unwrap(), None, "cut after {after}");
    }
    assert_eq!(broken, 17, "{somewhere:?}");
    let output = work.try_git(&["push", "paas", "main"]);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(platform.repository().branch_tip("main").unwrap(), Some(commit));
    assert_clean(&platform);
}

#[test]
fn pushes_that_break_off_at_once_and_in_the_middle_of_others_leave_the_others_whole() {
    let platform = Platform::accepting();
    std::thread::scope(|scope| {
        for client in 0..6 {
            let platform = &platform;
            scope.spawn(move || {
                let name = format!("client{client}");
                let work = platform.work(&name);
                for round in 0..4 {
                    work.write("noise", noise(40_000));
                    let commit = work.commit(&format!("{name} {round}"));
                    let after = 1_500 + usize::from(noise(1)[0]) * 150;
                    let cut = work.try_git(&["push", &cutter(platform, after), &format!("main:{name}")]);
                    assert!(!cut.status.success());
                    work.git(&["push", "-q", "paas", &format!("main:{name}")]);
                    assert_eq!(platform.repository().branch_tip(&name).unwrap(), Some(commit));
                }
            });
        }
    });
    eventually("the last one's end", || quarantines(&platform) == 0);
    eventually("the last one's traces to go", || {
        let root = fs::read_dir(platform.repository().path().parent().unwrap()).unwrap();
        root.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with(".scratch"))
    });
    assert_clean(&platform);
}

#[test]
fn what_broken_pushes_left_goes_with_the_last_push_though_others_read() {
    let platform = Platform::accepting();
    let repository = platform.repository().path().to_owned();
    fs::create_dir(repository.join("objects/tmp_objdir-incoming-x")).unwrap();
    let reader = fs::File::options().create(true).append(true).open(repository.join("occupied")).unwrap();
    reader.lock_shared().unwrap();
    let work = platform.work("work");
    work.commit("one");
    work.git(&["push", "-q", "paas", "main"]);
    eventually("the quarantine's end", || quarantines(&platform) == 0);
}

/// Sends the beginning of a push and then nothing; returns what comes back.
fn stalled(platform: &Platform, limits: ServeLimits) -> String {
    let command =
        format!("{} {} refs/heads/main\0 report-status side-band-64k", "0".repeat(40), "1".repeat(40));
    let head = Bytes::from(format!("{:04x}{command}0000PACK", command.len() + 4));
    let body = futures::stream::iter([Ok::<_, std::io::Error>(head)]).chain(futures::stream::pending());
    let request = Request { git_protocol: None, gzip: false, body: Box::pin(body) };
    platform.runtime.block_on(async {
        let (mut answer, push) = git::receive(&platform.repository(), request, limits);
        let mut told = String::new();
        while !told.ends_with("00000000") {
            told += &String::from_utf8_lossy(&answer.next().await.unwrap().unwrap());
        }
        drop(answer);
        assert!(push.await.is_err(), "there is nothing to decide");
        told
    })
}

#[test]
fn a_client_that_stalls_or_finds_the_disk_full_is_told_and_let_go() {
    let platform = Platform::accepting();
    let silent = ServeLimits { idle: Duration::from_millis(200), ..ServeLimits::default() };
    let told = stalled(&platform, silent);
    assert!(
        told.contains("The push was given up") && told.contains("ng refs/heads/main the push broke off"),
        "{told}"
    );
    let slow = ServeLimits { total: Duration::from_millis(200), ..ServeLimits::default() };
    let told = stalled(&platform, slow);
    assert!(told.contains("ng refs/heads/main the push took too long"), "{told}");
    let full = ServeLimits { reserve_bytes: u64::MAX, ..ServeLimits::default() };
    let told = stalled(&platform, full);
    assert!(told.contains("ng refs/heads/main the server's disk is nearly full"), "{told}");
    assert!(told.contains("Nothing was kept of this push: the server's disk has "), "{told}");
    assert_eq!(quarantines(&platform), 0);
}

#[test]
fn what_a_killed_server_left_is_removed_at_the_next_start() {
    let platform = Platform::accepting();
    let work = platform.work("work");
    let commit = work.commit("one");
    work.git(&["push", "-q", "paas", "main"]);
    let path = platform.repository().path().to_owned();
    fs::create_dir(path.join("objects/tmp_objdir-incoming-x")).unwrap();
    for left in [
        "refs/heads/main.lock",
        "shallow.lock",
        "refs/heads/unfinished",
        "objects/pack/tmp_pack_x",
        "config.lock",
    ] {
        fs::write(path.join(left), "").unwrap();
    }
    work.commit("two");
    assert!(!work.try_git(&["push", "paas", "main"]).status.success(), "the lock is in the way");
    platform.repository().recover().unwrap();
    assert_eq!(platform.repository().branch_tip("main").unwrap(), Some(commit));
    work.git(&["push", "-q", "paas", "main"]);
    assert_eq!(quarantines(&platform), 0);
    assert!(!path.join("objects/pack/tmp_pack_x").exists());
}
