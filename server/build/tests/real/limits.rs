//! Time, memory, processes, disk and cancel: each ends a build with its own words, and nothing is left.

use std::time::{Duration, Instant};

use build::FailureKind;

use crate::world::{App, Ended};

/// Returns a package whose build runs this.
fn setup(code: &str) -> String {
    format!(
        "import os, subprocess, sys, time\nprint('begun', file=sys.stderr, flush=True)\n{code}\nfrom setuptools import setup\nsetup(name='x', version='1')\n"
    )
}

/// Tells whether any process of the build is left.
fn left(ended: &Ended) -> bool {
    let group = ended.build.to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let cgroups = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cgroup")).ok());
    cgroups.into_iter().any(|text| text.contains(&group))
}

#[tokio::test]
async fn a_cancel_ends_everything_within_a_second() {
    let mut app = App::new();
    let code = setup(
        "subprocess.Popen(['setsid', 'sh', '-c', 'trap \"\" TERM; sleep 1000 & wait'])\ntime.sleep(1000)",
    );
    let request = app.request(&[("setup.py", &code)]);
    let (log, cancel) = (request.work_dir.join("log"), app.cancel.clone());
    let canceller = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("Packages:")) {
            assert!(Instant::now() < deadline, "the build never began");
            std::thread::yield_now();
        }
        cancel.cancel();
        Instant::now()
    });
    let ended = app.run(request).await;
    assert!(canceller.await.unwrap().elapsed() < Duration::from_secs(1));
    assert_eq!(ended.failure().kind, FailureKind::Cancelled);
    assert!(ended.log.ends_with(" !     the build was cancelled\n"), "{}", ended.log);
    assert!(!left(&ended));
}

#[tokio::test]
async fn a_build_that_never_ends_is_stopped_at_its_limit() {
    let mut app = App::new();
    app.limits.seconds = 4;
    let ended = app.push(&[("setup.py", &setup("time.sleep(1000)"))]).await;
    assert_eq!(ended.failure().kind, FailureKind::TimedOut);
    assert_eq!(ended.failure().reason, "the build was stopped after 4 s, its limit");
    assert!(!left(&ended));
}

#[tokio::test]
async fn a_build_that_needs_too_much_memory_is_told_the_limit() {
    let mut app = App::new();
    if !app.host.cgroups.has(sandbox::Controller::Memory) {
        return; // An ordinary user's host cannot limit memory.
    }
    app.limits.memory_mb = 200;
    let ended = app.push(&[("setup.py", &setup("x = bytearray(600 << 20)"))]).await;
    assert_eq!(ended.failure().kind, FailureKind::OutOfMemory, "{}", ended.log);
    assert!(ended.failure().reason.contains("more than 200 MB"), "{:?}", ended.failure());
}

#[tokio::test]
async fn a_build_that_fills_the_disk_is_stopped_at_its_limit() {
    let mut app = App::new();
    app.limits.disk_bytes = 80 << 20;
    let code = setup(
        "for i in range(100):\n    open(f'/tmp/cache/{i}', 'wb').write(os.urandom(4 << 20)); time.sleep(0.05)",
    );
    let ended = app.push(&[("setup.py", &code)]).await;
    assert_eq!(ended.failure().kind, FailureKind::DiskFull, "{}", ended.log);
    assert!(ended.failure().reason.contains("its limit is 80 MB"), "{:?}", ended.failure());
}

#[tokio::test]
async fn a_build_stops_at_half_of_the_disks_reserve_and_says_the_numbers() {
    let mut app = App::new();
    app.limits.reserve_bytes = 20_000_000_000_000_000;
    let ended = app.push(&[("Procfile", "web: true")]).await;
    let failure = ended.failure();
    assert_eq!(failure.kind, FailureKind::DiskFull, "{}", ended.log);
    assert!(failure.reason.contains(" free, and builds stop below 10000000.0 GB"), "{failure:?}");
    app.limits.reserve_bytes = 0;
    app.push(&[("Procfile", "web: true")]).await.output();
}

#[tokio::test]
async fn a_slug_over_its_limit_names_the_largest_directories() {
    let mut app = App::new();
    app.limits.slug_bytes = 1 << 20;
    let request = app.request(&[("Procfile", "web: true"), ("big/x", "")]);
    let mut random = 1_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()
    };
    let noise: Vec<u8> = (0..3 << 17).flat_map(|_| next()).collect();
    std::fs::write(request.source.join("big/x"), noise).unwrap();
    let ended = app.run(request).await;
    assert_eq!(ended.failure().kind, FailureKind::TooLarge);
    assert!(ended.failure().reason.contains("3 MB in big"), "{:?}", ended.failure());
}

#[tokio::test]
async fn a_cache_half_written_by_a_failed_build_does_no_harm() {
    let mut app = App::new();
    let broken = app.push(&[("requirements.txt", "itsdangerous\nno-such-package-of-ours==1\n")]).await;
    assert!(broken.log.contains("no-such-package-of-ours"), "{}", broken.log);
    let mended = app.push(&[("requirements.txt", "itsdangerous\n")]).await;
    assert_eq!(mended.output().manifest.packages.len(), 1);
}
