//! The control plane: a database and two servers, each on a machine of its own. The servers see one directory, as on a
//! shared file system.

use std::path::Path;
use std::rc::Rc;

use super::machine::Machine;
use super::network::{Network, Side};
use crate::on_postgres::server::Postgres;
use crate::platform::TestPlatform;

/// Where servers are called by agents.
const AGENTS: u16 = 5001;

/// What servers are called.
const NAMES: [&str; 2] = ["one", "two"];

/// The machine of the database.
pub(crate) struct Database {
    machine: Machine,
    postgres: Postgres,
}

/// A machine with a server on it.
pub(crate) struct Server {
    pub(crate) platform: TestPlatform,
    pub(crate) machine: Machine,
}

impl Database {
    pub(crate) fn start(network: &Rc<Network>) -> Self {
        let machine = Machine::new(network, "database");
        readable(network.dir.path());
        let postgres = Postgres::on_machine(machine.disk(), machine.place().prefix());
        Self { machine, postgres }
    }

    /// Returns the URL by which machines of a network call it.
    pub(crate) fn url(&self, side: Side) -> String {
        Postgres::url_at(self.machine.address(side), "postgres")
    }

    pub(crate) fn restart(&self) {
        self.postgres.stop();
        self.postgres.start();
    }

    /// Takes the power from it, and lets it start again after something was done.
    pub(crate) fn lose_power(&self, meanwhile: impl FnOnce()) {
        self.machine.die();
        meanwhile();
        self.machine.boot();
        self.postgres.start();
    }
}

/// Its user is another than that of the test.
fn readable(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

impl Server {
    /// Starts two servers with these options.
    pub(crate) fn two(network: &Rc<Network>, database: &Database, options: &[&str]) -> [Self; 2] {
        let url = database.url(Side::Control);
        NAMES.map(|name| Self::start(network, name, &url, options))
    }

    fn start(network: &Rc<Network>, name: &str, url: &str, options: &[&str]) -> Self {
        let machine = Machine::with_disk(network, name, "control");
        let listen = agents(&machine);
        let own = ["--server-name", name, "--database-url", url, "--agent-listen", &listen];
        let options: Vec<&str> = options.iter().copied().chain(own).collect();
        let platform = TestPlatform::start_on(
            &machine.disk().join("data"),
            &options,
            machine.place(),
            machine.address(Side::Users),
        );
        Self { platform, machine }
    }

    pub(crate) fn name(&self) -> &str {
        &self.machine.name
    }

    /// Returns where agents call it.
    pub(crate) fn called(&self) -> String {
        format!("https://{}", agents(&self.machine))
    }
}

fn agents(machine: &Machine) -> String {
    format!("{}:{AGENTS}", machine.address(Side::Control))
}
