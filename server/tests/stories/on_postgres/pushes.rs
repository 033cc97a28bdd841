//! One app pushed through both servers.

use super::Servers;
use crate::app::TestApp;

#[test]
fn pushes_to_either_server_build_in_one_order_and_tell_their_pusher() {
    let servers = Servers::start();
    let first = servers.leader.app("twofold");
    first.greets("one").deploy();
    // The same repository, cloned from the other server.
    let dir = servers.other.scratch().join("twofold");
    let second = TestApp { platform: &servers.other, name: "twofold".to_owned(), dir };
    let clone = servers
        .other
        .command(std::path::Path::new("git"), servers.other.scratch())
        .args(["clone", "-q"])
        .arg(&first.dir)
        .arg(&second.dir)
        .status();
    assert!(clone.unwrap().success());
    second.git(&["config", "user.name", "Bob"]);
    second.git(&["config", "user.email", "bob@example.org"]);
    second.paasctl(&["git:remote", "-a", "twofold"]);
    second.greeting("two");
    let told = second.deploy();
    assert!(told.contains("serves at"), "{told}");
    assert!(told.contains("-----> ") && told.contains("Launching") || told.contains("Rolling out"), "{told}");
    first.git(&["pull", "-q", "paas", "main"]);
    first.greeting("three").deploy();
    assert_eq!(first.get("/").body, "three");
    assert_eq!(
        second.git(&["ls-remote", "paas", "refs/heads/main"]).split_whitespace().next().unwrap(),
        first.git(&["rev-parse", "HEAD"])
    );
}
