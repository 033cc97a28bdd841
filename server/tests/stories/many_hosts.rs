//! Fifty hosts at one server, over the real protocol: all they lack is something to run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use fleet::{Chunk, Taken, encode_chunks};
use logs::{Bounds, LogDir, Query, Source};
use model::id::AppId;
use serde_json::json;

use crate::place::Place;
use crate::platform::TestPlatform;
use crate::simulated::{Manner, Population, Simulated};
use crate::{address, wait};

const HOSTS: usize = 50;

const MANNER: Manner =
    Manner { boot: Duration::from_millis(100), measure: Duration::from_secs(2), ..Manner::LARGE };

/// A server with hosts that have joined; its apps have no replicas yet.
struct Fleet {
    simulated: Simulated,
    platform: TestPlatform,
    population: Population,
    _dir: tempfile::TempDir,
}

/// How many healthy replicas each host has, by its zone and number, and each zone.
type Spread = (BTreeMap<(&'static str, usize), usize>, BTreeMap<&'static str, usize>);

impl Fleet {
    fn start(apps: &[&str], hosts: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let population = Population::write(&data, apps, hosts);
        let free = address::reserve();
        let listen = free.to_string();
        // What the server's own machine offers is too little for a replica.
        let options = ["--agent-listen", &listen, "--zone", "none", "--host-mb", "1"];
        let platform = TestPlatform::start_on(&data, &options, Place::default(), Ipv4Addr::LOCALHOST);
        let simulated = Simulated::join(free, &population, &dir.path().join("hosts"), MANNER);
        Self { simulated, platform, population, _dir: dir }
    }

    fn ask(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> serde_json::Value {
        let (status, answer) = self.platform.api(method, path, &self.platform.token, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    fn scale(&self, app: &str, quantity: usize) {
        self.ask("PATCH", &format!("/apps/{app}/formation/web"), Some(json!({ "quantity": quantity })));
        wait::until("all replicas to be healthy", || {
            (self.simulated.count(app, 1).0 == quantity).then_some(())
        });
    }

    /// Waits until a release has taken the place of all others.
    fn wait_for_release(&self, app: &str, release: u64, replicas: usize) {
        wait::until("the release to succeed", || {
            let release = self.ask("GET", &format!("/apps/{app}/releases/{release}"), None);
            assert_ne!(release["status"], "failed", "{release}");
            (release["status"] == "succeeded").then_some(())
        });
        wait::until("nothing else to run", || {
            (self.simulated.count(app, release) == (replicas, 0)).then_some(())
        });
    }

    /// Hosts and zones without any count as well.
    fn spread(&self) -> Spread {
        let hosts = &self.simulated.hosts;
        let mut by_host: BTreeMap<_, _> =
            hosts.iter().enumerate().map(|(number, host)| ((host.zone(), number), 0)).collect();
        let mut by_zone: BTreeMap<_, _> = hosts.iter().map(|host| (host.zone(), 0)).collect();
        for (number, _) in self.simulated.running().iter().filter(|(_, running)| running.is_healthy()) {
            let zone = hosts[*number].zone();
            *by_host.entry((zone, *number)).or_default() += 1;
            *by_zone.entry(zone).or_default() += 1;
        }
        (by_host, by_zone)
    }

    /// Asserts that zones differ by one replica at most, and so do the hosts of each zone.
    fn assert_spread(&self) {
        let (by_host, by_zone) = self.spread();
        assert!(by_zone.values().max().unwrap() - by_zone.values().min().unwrap() <= 1, "{by_zone:?}");
        for zone in by_zone.keys() {
            let of_zone = || by_host.iter().filter(|((of, _), _)| of == zone).map(|(_, count)| *count);
            assert!(of_zone().max().unwrap() - of_zone().min().unwrap() <= 1, "{zone}: {by_host:?}");
        }
    }

    /// Returns the lines of an app's log that replicas wrote.
    fn lines(&self, app: usize) -> Vec<String> {
        let dir = self.platform.data.join("logs").join(self.population.apps[app].to_string());
        let query = Query { source: Some(Source::App), ..Query::default() };
        let found = LogDir::open(dir, Bounds::default()).unwrap().range(query).unwrap();
        found.flat_map(|lines| lines.unwrap()).map(|line| line.text).collect()
    }
}

#[test]
fn a_deploy_of_a_hundred_replicas_converges_on_fifty_hosts_and_is_spread_over_them() {
    let fleet = Fleet::start(&["big"], HOSTS);
    fleet.scale("big", 100);
    fleet.assert_spread();
    fleet.ask("PATCH", "/apps/big/config-vars", Some(json!({ "GREETING": "two" })));
    fleet.wait_for_release("big", 2, 100);
    fleet.assert_spread();
    let running = fleet.simulated.running();
    let numbers: BTreeSet<u32> = running.iter().map(|(_, running)| running.spec.number).collect();
    assert_eq!(numbers, (1..=100).collect(), "each number once");
    let greets = |running: &crate::simulated::Running| {
        running
            .spec
            .config
            .iter()
            .any(|(key, value)| (key.as_str(), value.reveal()) == ("GREETING", b"two".as_slice()))
    };
    assert!(running.iter().all(|(_, running)| greets(running)));
}

#[test]
fn twenty_thousand_lines_of_fifty_hosts_arrive_once_each_though_the_server_is_killed_meanwhile() {
    let mut fleet = Fleet::start(&["big"], HOSTS);
    fleet.scale("big", 100);
    let write = |fleet: &Fleet, numbers: std::ops::Range<usize>| {
        for (host, running) in fleet.simulated.running() {
            let text = format!("replica {} line", running.spec.number);
            fleet.simulated.hosts[host].write_lines(&running, &text, numbers.clone());
        }
    };
    write(&fleet, 0..100);
    fleet.simulated.ship();
    wait::until("the first lines", || (!fleet.lines(0).is_empty()).then_some(()));
    fleet.platform.end_server(false);
    write(&fleet, 100..200);
    fleet.platform.start_again();
    wait::until("all lines", || (fleet.lines(0).len() >= 20_000).then_some(()));
    let expected: BTreeSet<String> = (1..=100)
        .flat_map(|replica| (0..200).map(move |line| format!("replica {replica} line {line}")))
        .collect();
    let arrived = fleet.lines(0);
    assert_eq!(arrived.len(), 20_000, "none came twice");
    assert!(arrived.into_iter().collect::<BTreeSet<_>>() == expected, "none is missing");
}

#[test]
fn a_host_is_believed_about_apps_that_it_has_replicas_of_and_about_no_other() {
    let fleet = Fleet::start(&["mine", "theirs"], 2);
    fleet.scale("mine", 2);
    let host = &fleet.simulated.hosts[0];
    let bring = |app: AppId, text: &str| {
        let mut line = Vec::new();
        let aside = tempfile::tempdir().unwrap();
        let written = LogDir::open(aside.path(), Bounds::default()).unwrap();
        written.writer().append(&logs::Origin::new(Source::App, "web.1", Some(1)), text);
        for file in std::fs::read_dir(aside.path()).unwrap().flatten() {
            line.extend(std::fs::read(file.path()).unwrap());
        }
        let length = u32::try_from(line.len()).unwrap();
        let lane = "process-3".to_owned();
        let chunk = Chunk { app, lane, segment: 1, offset: 0, length, gone: None };
        let body = encode_chunks(&[(chunk, line.into())]).unwrap();
        let path = "/agent/logs";
        let line = host.line();
        let taken: Taken = fleet
            .simulated
            .run(async move { line.send(path, "application/octet-stream", body, Duration::ZERO).await })
            .unwrap();
        taken.kept[0].clone()
    };
    let [mine, theirs] = fleet.population.apps[..] else { panic!("two apps were written") };
    assert!(!bring(mine, "I was here").no_app);
    assert!(bring(theirs, "so was I, they say").no_app);
    assert_eq!((fleet.lines(0), fleet.lines(1)), (vec!["I was here".to_owned()], Vec::new()));
    let log = fleet.platform.server_log();
    assert!(log.contains("brings lines of an app of which it has no replica"), "{log}");
}
