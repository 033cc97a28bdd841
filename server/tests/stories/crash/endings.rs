//! The server dies while an app is made or destroyed, a release reverted, or what nobody needs removed; and its small
//! processes are killed.

use std::fs;

use fail_point::Step;
use model::keep;

use super::host::{keeper, supervisor};
use super::{converges, dies_at, is_deployed};
use crate::builds::interrupt;
use crate::platform::TestPlatform;
use crate::{visitor, wait};

pub(super) const STEPS: &[Step] = &[
    Step::AppMade,
    Step::AppDestroyed,
    Step::AppDirectoryGone,
    Step::Reverted,
    Step::SlugGivenUp,
    Step::ImageRemoved,
];

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn an_app_is_made_or_not_and_destroyed_with_all_it_had() {
    let mut platform = TestPlatform::start();
    platform.app("other").greets("other").deploy();
    for step in [Step::AppDestroyed, Step::AppDirectoryGone] {
        let what = format!("{step:?}");
        dies_at(&mut platform, Step::AppMade, |platform| {
            let made = platform.known_app("other").try_paasctl(&["apps:create", "born"]);
            assert!(!made.status.success(), "{what}: nobody told: {made:?}");
        });
        let app = platform.known_app("other");
        let again = crate::app::text(&app.try_paasctl(&["apps:create", "born"]));
        assert!(again.contains("taken"), "{what}: {again}");
        let url = app.git(&["remote", "get-url", "paas"]).replace("other.git", "born.git");
        let pushed = app.push_with(&["push", &url, "main"]);
        assert!(pushed.ok, "{what}: {}", pushed.text);
        let apps = converges(&platform, &what).apps;
        assert_eq!(apps.len(), 2);
        dies_at(&mut platform, step, |platform| {
            platform.known_app("other").try_paasctl(&["apps:destroy", "-a", "born", "--confirm", "born"]);
        });
        let left = converges(&platform, &what).apps;
        assert_eq!(left.into_values().collect::<Vec<_>>(), ["other"], "{what}");
        assert_eq!(visitor::get(platform.router, "born.localhost", "/").unwrap().status, 404, "{what}");
        assert_eq!(platform.known_app("other").get("/").body, "other");
    }
}

#[test]
fn a_revert_that_the_server_dies_after_is_brought_about() {
    let mut platform = TestPlatform::start();
    let app = platform.app("relapse");
    app.greets("one").deploy();
    app.paasctl(&["ps:scale", "worker=1"]);
    let good = app.git(&["rev-parse", "HEAD"]);
    app.write("Procfile", "web: bin/web\nworker: sleep 2; exit 3\n").greeting("two");
    dies_at(&mut platform, Step::Reverted, |platform| platform.known_app("relapse").push());
    let ledger = converges(&platform, "reverted");
    assert_eq!(ledger.commits["relapse"].as_ref(), Some(&good));
    assert_eq!(ledger.watched, [] as [&str; 0]);
    let app = platform.known_app("relapse");
    assert_eq!(app.get("/").body, "one");
    let releases = app.json(&["releases"]);
    let status = releases.as_array().unwrap().iter().map(|release| release["status"].as_str().unwrap());
    assert_eq!(status.collect::<Vec<_>>(), ["succeeded", "failed", "succeeded"], "{releases}");
}

#[test]
fn a_slug_that_nobody_needs_goes_wherever_the_server_dies() {
    let mut platform = TestPlatform::start();
    let app = platform.app("thrifty");
    app.greets("0").deploy();
    // Without replicas a rollout takes no time.
    app.paasctl(&["ps:scale", "web=0"]);
    for number in 1..keep::SLUGS {
        app.greeting(&number.to_string()).deploy();
    }
    for step in [Step::SlugGivenUp, Step::ImageRemoved] {
        let what = format!("{step:?}");
        // One more puts the oldest out of reach, and the server dies of that.
        let mut pusher = dies_at(&mut platform, step, |platform| {
            platform.known_app("thrifty").greeting(&what).push_in_background()
        });
        interrupt(&mut pusher);
        let ledger = converges(&platform, &what);
        assert_eq!(ledger.images.len(), keep::SLUGS, "{what}: {:?}", ledger.images);
        wait::until(&format!("{what}: the image to go"), || {
            (fs::read_dir(platform.data.join("blobs/slugs")).unwrap().count() == keep::SLUGS).then_some(())
        });
    }
    let app = platform.known_app("thrifty");
    app.paasctl(&["ps:scale", "web=1"]);
    is_deployed(&app, "ImageRemoved", "what is kept");
}

#[test]
fn a_supervisor_that_is_killed_takes_its_replica_along_and_another_comes() {
    let mut platform = TestPlatform::start();
    platform.app("bereft").greets("here").deploy();
    for server_lives in [true, false] {
        let replicas = converges(&platform, "before").replicas;
        let first = supervisor(&platform.data, replicas.keys().next().unwrap()).unwrap();
        if server_lives {
            kill(first);
        } else {
            platform.end_server(false);
            kill(first);
            platform.start_again();
        }
        wait::until("another supervisor", || {
            let now = supervisor(&platform.data, replicas.keys().next().unwrap());
            now.filter(|pid| *pid != first)
        });
        let app = platform.known_app("bereft");
        wait::until("the app to answer", || (app.get("/").body == "here").then_some(()));
        assert_eq!(converges(&platform, "after").replicas, replicas);
    }
}

#[test]
fn a_keeper_of_sockets_that_is_killed_is_replaced_and_the_next_server_finds_its_sockets() {
    let mut platform = TestPlatform::start();
    platform.app("kept").greets("here").deploy();
    for server_lives in [true, false] {
        converges(&platform, "before");
        let first = keeper(&platform.data).unwrap();
        if server_lives {
            kill(first);
            wait::until("another keeper", || keeper(&platform.data).filter(|pid| *pid != first));
            platform.end_server(false);
            // Whoever comes now waits in the queue of the sockets that the new one keeps.
            std::net::TcpStream::connect(platform.router).unwrap();
        } else {
            platform.end_server(false);
            kill(first);
        }
        platform.start_again();
        converges(&platform, "after");
        assert_eq!(platform.known_app("kept").get("/").body, "here");
    }
}
