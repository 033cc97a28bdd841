//! A platform on machines of its own: a control plane that runs no replica itself, and hosts in zones.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::census::{Answers, WEB};
use super::host::Host;
use super::machine::Machine;
use super::network::{Network, Side};
use crate::app::TestApp;
use crate::platform::TestPlatform;
use crate::wait;

/// Where the control plane is called by agents.
const AGENTS: u16 = 5001;

/// How long a silent host has to come back.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

/// A control plane and its hosts.
pub(crate) struct Fleet {
    pub(crate) hosts: Vec<Host>,
    pub(crate) platform: TestPlatform,
    _network: Rc<Network>,
}

impl Fleet {
    /// Starts it with a host in each of the zones; a host is called like its zone, with its number.
    pub(crate) fn start(zones: &[&str]) -> Self {
        let network = Network::start();
        let control = Machine::new(&network, "control");
        let listen = format!("{}:{AGENTS}", control.address(Side::Control));
        let grace = GRACE.as_secs().to_string();
        // What it offers is too little for a replica.
        let options = ["--agent-listen", &listen, "--host-grace", &grace, "--zone", "none", "--host-mb", "1"];
        let (data, address) = (control.dir().join("data"), control.address(Side::Users));
        std::fs::create_dir_all(&data).unwrap();
        let platform = TestPlatform::start_on(&data, &options, control.prefix(), address);
        let host = |(number, zone): (usize, &&str)| {
            let name = format!("{zone}{}", number + 1);
            let token = join_token(&platform, &name, zone);
            Host::join(Machine::new(&network, &name), &format!("https://{listen}"), &token)
        };
        let hosts: Vec<Host> = zones.iter().enumerate().map(host).collect();
        wait::until("all hosts to call", || (callers(&platform) == hosts.len()).then_some(()));
        Self { hosts, platform, _network: network }
    }

    /// Deploys an app that tells who answers, on so many replicas, and waits until all of them answer.
    pub(crate) fn app(&self, replicas: usize) -> TestApp<'_> {
        let app = self.platform.app("shop");
        app.write("bin/web", WEB)
            .executable("bin/web")
            .write("Procfile", "web: bin/web\n")
            .commit("Tell who");
        app.deploy();
        app.paasctl(&["scale", &format!("web={replicas}")]);
        wait_for_answers(&app, replicas);
        app
    }
}

/// Waits until so many replicas are healthy, and none is there beside them; returns how many each host has.
pub(crate) fn wait_for_replicas(app: &TestApp<'_>, replicas: usize) -> BTreeMap<String, usize> {
    wait::until(&format!("{replicas} healthy replicas"), || {
        let found = app.json(&["ps"]);
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

/// Waits until so many replicas are healthy, and each of them answers.
pub(crate) fn wait_for_answers(app: &TestApp<'_>, replicas: usize) {
    wait_for_replicas(app, replicas);
    Answers::now(app, replicas);
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
