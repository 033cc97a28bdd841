//! What survives the server.

use crate::platform::TestPlatform;

fn replica_pids(app: &crate::app::TestApp<'_>) -> String {
    app.get("/env/NOTHING");
    app.paasctl(&["ps"]).lines().map(str::to_owned).collect::<Vec<_>>().join("\n")
}

#[test]
fn replicas_outlive_a_killed_server_and_are_adopted() {
    let mut platform = TestPlatform::start();
    let name = "survivor";
    {
        let app = platform.app(name);
        app.greets("one").deploy();
        app.paasctl(&["config:set", "BORN=before"]);
        replica_pids(&app);
    }
    let supervisors = || {
        let output = std::process::Command::new("pgrep").args(["-f", "paasd supervise"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let replicas = |platform: &TestPlatform| {
        let mut names: Vec<_> = std::fs::read_dir(platform.data.join("agent/replicas"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = (replicas(&platform), supervisors());
    for orderly in [true, false] {
        platform.restart(orderly);
        let host = format!("{name}.localhost");
        let answer = crate::wait::until("the app to answer again", || {
            crate::visitor::get(platform.router, &host, "/env/BORN")
                .ok()
                .filter(|answer| answer.status == 200)
        });
        assert_eq!(answer.body, "before");
        assert_eq!(replicas(&platform), before.0, "no replica was started anew");
    }
}
