//! Several hosts: a server without much to do itself, and agents that dialled in. All of them are on this machine, each
//! with a data directory and an address of its own.

mod machine;

use std::collections::BTreeSet;

use machine::Machine;

use crate::platform::TestPlatform;
use crate::wait;

/// Starts a server that agents may call.
fn platform() -> TestPlatform {
    TestPlatform::start_with(&["--agent-listen", &format!("127.0.0.1:{}", machine::free_port())])
}

#[test]
fn replicas_on_hosts_that_joined_serve_visitors() {
    let platform = platform();
    let (one, two) = (Machine::join(&platform, "one", 2), Machine::join(&platform, "two", 3));
    let app = platform.app("spread");
    app.greets("far").deploy();
    let crowd = app.crowd();
    app.paasctl(&["scale", "web=3"]);
    wait::until("three replicas to answer", || {
        let names: BTreeSet<String> = (0..30).map(|_| app.get("/me").body).collect();
        (names.len() == 3).then_some(())
    });
    let hosts: BTreeSet<String> = machine::hosts_of(&app).into_iter().collect();
    assert!(hosts.contains("one") && hosts.contains("two") && hosts.len() == 3, "{hosts:?}");
    crowd.assert_none_failed();
    drop((one, two));
}
