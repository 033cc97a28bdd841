//! A platform on machines of its own: a database, two servers that run no replica themselves, and hosts in zones.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::census::{Answers, Census, WEB};
use super::control::{Database, Server};
use super::host::Host;
use super::machine::Machine;
use super::network::{Network, Side};
use super::pace;
use crate::app::TestApp;
use crate::load::Load;
use crate::on_postgres::Eyes;
use crate::platform::TestPlatform;
use crate::wait;

/// How long a silent host has to come back.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// What each server is told: what it offers itself is too little for a replica, and certificates of hosts are renewed
/// several times in a story.
const OPTIONS: [&str; 8] =
    ["--host-grace", "20", "--zone", "none", "--host-mb", "1", "--host-certificate-seconds", "30"];

/// The name of the app of every story.
const APP: &str = "shop";

/// A control plane and its hosts.
pub(crate) struct Fleet {
    pub(crate) hosts: Vec<Host>,
    /// The server that led at first.
    pub(crate) leader: Server,
    pub(crate) other: Server,
    pub(crate) eyes: Eyes,
    pub(crate) database: Database,
    /// Where those come from who are a load.
    visitors: Machine,
    /// Where its developer has the app.
    app: PathBuf,
    _network: Rc<Network>,
}

impl Fleet {
    /// Starts it with a host in each of the zones; a host is called like its zone, with its number.
    pub(crate) fn start(zones: &[&str]) -> Self {
        let network = Network::start();
        let database = Database::start(&network);
        let servers = Server::two(&network, &database, &OPTIONS);
        let called: Vec<String> = servers.iter().map(Server::called).collect();
        let host = |(number, zone): (usize, &&str)| {
            let name = format!("{zone}{}", number + 1);
            let token = join_token(&servers[0].platform, &name, zone);
            Host::join(Machine::new(&network, &name), &called, &token)
        };
        let hosts: Vec<Host> = zones.iter().enumerate().map(host).collect();
        for server in &servers {
            let all = || (callers(&server.platform) == hosts.len()).then_some(());
            wait::until("all hosts to call each server", all);
        }
        let eyes = Eyes::open(&database.url(Side::Users));
        let mut servers = Vec::from(servers);
        servers.sort_by_key(|server| server.name() != eyes.leader());
        let (other, leader) = (servers.pop().unwrap(), servers.pop().unwrap());
        let visitors = Machine::new(&network, "visitors");
        let app = leader.platform.scratch().join(APP);
        Self { hosts, leader, other, eyes, database, visitors, app, _network: network }
    }

    /// Deploys an app that tells who answers, on so many replicas, and waits until all of them answer.
    pub(crate) fn deploy(&self, replicas: usize) -> TestApp<'_> {
        let app = self.leader.platform.app(APP);
        app.write("bin/web", WEB)
            .executable("bin/web")
            .write("Procfile", "web: bin/web\n")
            .commit("Tell who");
        app.deploy();
        app.paasctl(&["scale", &format!("web={replicas}")]);
        self.wait_for_answers(replicas);
        app
    }

    /// Returns the app that was deployed, as the server shows it that led at first.
    pub(crate) fn app(&self) -> TestApp<'_> {
        TestApp { platform: &self.leader.platform, name: APP.to_owned(), dir: self.app.clone() }
    }

    /// Returns the same as the other server shows it.
    pub(crate) fn app_by_other(&self) -> TestApp<'_> {
        TestApp { platform: &self.other.platform, ..self.app() }
    }

    /// Returns where visitors are answered.
    pub(crate) fn routers(&self) -> [SocketAddr; 2] {
        [self.leader.platform.router, self.other.platform.router]
    }

    /// Lets visitors come to both servers in turn.
    pub(crate) fn load(&self) -> Load {
        let (routers, host) = (self.routers(), self.app().host());
        let rate = pace::per_second(routers[0], &host);
        Load::start_from(self.visitors.place(), (&routers, &host, "/"), rate)
    }

    /// Waits until so many replicas are healthy, and both servers send visitors to each of them.
    pub(crate) fn wait_for_answers(&self, replicas: usize) {
        wait_for_replicas(&self.app(), replicas);
        for router in self.routers() {
            Answers::of(router, &self.app().host(), replicas);
        }
    }

    /// Starts to ask at both servers who answers under which name.
    pub(crate) fn census(&self) -> Census {
        Census::start(&self.routers(), &self.app().host())
    }

    /// Returns which process answers under each of so many names.
    pub(crate) fn processes(&self, names: usize) -> BTreeMap<String, String> {
        let answers = Answers::of(self.leader.platform.router, &self.app().host(), names);
        answers.latest().into_iter().map(|(name, process)| (name.to_owned(), process.to_owned())).collect()
    }

    /// Waits until a server has said this.
    pub(crate) fn wait_until_said(&self, text: &str) {
        let said = |server: &Server| server.platform.server_log().contains(text);
        wait::until(text, || (said(&self.leader) || said(&self.other)).then_some(()));
    }
}

/// Waits until so many replicas are healthy, and none is there beside them; returns how many each host has.
pub(crate) fn wait_for_replicas(app: &TestApp<'_>, replicas: usize) -> BTreeMap<String, usize> {
    wait::until(&format!("{replicas} healthy replicas"), || {
        // The database may be away just now.
        let output = app.try_paasctl(&["ps", "--json"]);
        let found: Value =
            output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())?;
        let found = found.as_array()?;
        let are_healthy = found.iter().all(|dyno| dyno["state"] == "up");
        (found.len() == replicas && are_healthy).then(|| {
            let mut counts = BTreeMap::new();
            for dyno in found {
                *counts.entry(dyno["host"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            counts
        })
    })
}

/// Returns how many replicas each zone has; a host is called like its zone, with its number.
pub(crate) fn by_zone(hosts: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut zones = BTreeMap::new();
    for (host, count) in hosts {
        *zones.entry(host.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()).or_default() += count;
    }
    zones
}

/// Returns how many hosts have joined and called.
fn callers(platform: &TestPlatform) -> usize {
    let (_, hosts) = platform.api("GET", "/hosts", &platform.token, None);
    let called = |host: &&Value| host["embedded"] == false && host["state"] == "ready";
    hosts.as_array().unwrap().iter().filter(called).count()
}

/// Makes a token that is good for one host.
fn join_token(platform: &TestPlatform, name: &str, zone: &str) -> String {
    let body = json!({ "name": name, "zone": zone });
    let (status, made) = platform.api("POST", "/hosts", &platform.token, Some(body));
    assert_eq!(status, 201, "{made}");
    made["token"].as_str().unwrap().to_owned()
}
