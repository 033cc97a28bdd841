//! A release whose config vars cannot be opened: its app goes on as it is, and no other app notices.

use std::process::Command;

use crate::app::{TestApp, text};
use crate::platform::TestPlatform;
use crate::{visitor, wait};

/// What the server's log says of it, once.
const TOLD: &str = "a release cannot be read; what runs of it goes on";

/// Damages the config vars of a release, as a disk would.
fn damage(platform: &TestPlatform, app: &str, version: u64) {
    let script = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        where = 'version = ? and app_id = (select id from apps where name = ?)'\n\
        changed = db.execute('update releases set config = ? where ' + where, ('damaged', sys.argv[3], sys.argv[2]))\n\
        assert changed.rowcount == 1\n\
        db.commit()\n";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]).arg(platform.data.join("paas.db")).args([app, &version.to_string()]);
    let ended = python.output().unwrap();
    assert!(ended.status.success(), "{}", text(&ended));
}

fn replica_id(app: &TestApp) -> serde_json::Value {
    let replicas = app.json(&["ps"]);
    let [replica] = replicas.as_array().unwrap().as_slice() else { panic!("{replicas}") };
    replica["id"].clone()
}

#[test]
fn a_release_that_cannot_be_read_stops_neither_its_own_replicas_nor_other_apps() {
    let mut platform = TestPlatform::start();
    for name in ["broken", "sound"] {
        platform.app(name).greets("one").deploy();
    }
    platform.known_app("broken").paasctl(&["config:set", "SECRET=one"]);
    let before = wait::until("the replica of before to end", || {
        let app = platform.known_app("broken");
        let replicas = app.json(&["ps"]);
        (replicas.as_array()?.len() == 1).then(|| replica_id(&app))
    });
    platform.end_server(false);
    damage(&platform, "broken", 2);
    platform.start_again();

    let (broken, sound) = (platform.known_app("broken"), platform.known_app("sound"));
    let answers = |path: &str| visitor::get(platform.router, &broken.host(), path).ok();
    wait::until("the app to answer", || answers("/env/SECRET").filter(|answer| answer.body == "one"));
    let crowd = broken.crowd();
    sound.greeting("two").deploy();
    sound.paasctl(&["ps:scale", "web=2"]);
    let refused = text(&broken.try_paasctl(&["config:set", "MORE=1"]));
    assert!(refused.contains("the config vars of v2 cannot be read"), "{refused}");
    let refused = text(&broken.try_paasctl(&["releases:diff", "v1", "v2"]));
    assert!(refused.contains("the config vars of v2 cannot be read"), "{refused}");
    crowd.assert_none_failed();
    assert_eq!(replica_id(&broken), before, "nothing was started anew");
    assert_eq!(platform.server_log().matches(TOLD).count(), 1, "{}", platform.server_log());
    broken.wait_for_log("v2 cannot be read");

    let crowd = broken.crowd();
    broken.paasctl(&["rollback", "v1"]);
    assert_eq!(broken.get("/env/SECRET").body, "(unset)");
    crowd.assert_none_failed();
}

#[test]
fn a_rollout_of_what_cannot_be_read_fails_with_the_reason_and_what_serves_goes_on() {
    let mut platform = TestPlatform::start();
    {
        let app = platform.app("halfway");
        app.greets("one").deploy();
        app.paasctl(&["config:set", "--no-wait", "STATUS=503"]);
    }
    platform.end_server(false);
    damage(&platform, "halfway", 2);
    platform.start_again();
    let app = platform.known_app("halfway");
    let failed = wait::until("the rollout to fail", || {
        let releases = app.json(&["releases"]);
        releases.as_array()?.iter().find(|release| release["status"] == "failed").cloned()
    });
    assert_eq!(failed["version"], 2);
    assert!(failed["reason"].as_str().unwrap().contains("cannot be read"), "{failed}");
    wait::until("the app to answer as before", || {
        visitor::get(platform.router, &app.host(), "/").ok().filter(|answer| answer.body == "one")
    });
    wait::until("the replica of the rollout to be gone", || {
        (app.json(&["ps"]).as_array()?.len() == 1).then_some(())
    });
    app.paasctl(&["config:set", "STATUS=200"]);
    assert_eq!(app.get("/").body, "one");
}
