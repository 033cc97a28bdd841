//! Two servers on one Postgres and one data directory: whichever leads, the other can, whatever happens to it.

mod failover;
mod pushes;
#[expect(dead_code, reason = "the store's tests share one server, these have one each")]
#[path = "../../../store/tests/postgres/server.rs"]
mod server;

use std::path::PathBuf;

use server::Postgres;
use store::{Leadership, Store};
use tokio::runtime::Runtime;

use crate::platform::TestPlatform;
use crate::wait;

/// Servers `a` and `b`, and their database.
struct Servers {
    /// The one that led at first.
    leader: TestPlatform,
    other: TestPlatform,
    eyes: Eyes,
    postgres: Postgres,
    _dir: tempfile::TempDir,
}

/// Looks at the database beside the servers.
struct Eyes {
    runtime: Runtime,
    store: Store,
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
        let runtime = Runtime::new().unwrap();
        let store = runtime.block_on(Store::open_url(&url.parse().unwrap())).unwrap();
        let eyes = Eyes { runtime, store };
        let first =
            wait::until("somebody to lead", || Some(eyes.leadership()?).filter(|seen| seen.owner.is_some()));
        let (leader, other) = if first.owner.unwrap().starts_with("a/") { (a, b) } else { (b, a) };
        Self { leader, other, eyes, postgres, _dir: dir }
    }
}

impl Eyes {
    /// Returns who leads; nothing while the database is away.
    fn leadership(&self) -> Option<Leadership> {
        self.runtime
            .block_on(async { store::find_leadership(&mut *self.store.read().await.ok()?).await.ok() })
    }

    /// Waits until a later term than this, and returns that.
    fn next_term(&self, term: u64) -> u64 {
        wait::until("another to lead", || Some(self.leadership()?.term).filter(|next| *next > term))
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
