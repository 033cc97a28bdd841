//! Two servers on one Postgres and one data directory: whichever leads, the other can, whatever happens to it.

mod eyes;
mod failover;
mod pushes;
#[expect(dead_code, reason = "the store's tests share one server, these have one each")]
#[path = "../../../store/tests/postgres/server.rs"]
pub(crate) mod server;

use std::path::PathBuf;

pub(crate) use eyes::Eyes;
use server::Postgres;

use crate::platform::TestPlatform;

/// Servers `a` and `b`, and their database.
struct Servers {
    /// The one that led at first.
    leader: TestPlatform,
    other: TestPlatform,
    eyes: Eyes,
    postgres: Postgres,
    _dir: tempfile::TempDir,
}

impl Servers {
    /// Starts both. A host that is not heard of is lost after six seconds.
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("paas-pg-").tempdir().unwrap();
        let database: PathBuf = dir.path().join("postgres");
        std::fs::create_dir(&database).unwrap();
        readable(dir.path());
        let postgres = Postgres::own(&database);
        let url = postgres.url("postgres");
        let data = dir.path().join("data");
        let start = |name: &str| TestPlatform::start_sharing(&data, (name, &url), &["--host-grace", "6"]);
        let (a, b) = (start("a"), start("b"));
        let eyes = Eyes::open(&url);
        let (leader, other) = if eyes.leader() == "a" { (a, b) } else { (b, a) };
        Self { leader, other, eyes, postgres, _dir: dir }
    }
}

fn readable(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns the names of the replicas that run, in order.
fn running(app: &crate::app::TestApp<'_>) -> Vec<String> {
    let all = app.json(&["ps"]);
    let up = all.as_array().unwrap().iter().filter(|replica| replica["state"] == "up");
    let mut names: Vec<String> = up.map(|replica| replica["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
