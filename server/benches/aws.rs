//! One control plane with 1,000 instances of a simulated AWS and 10,000 replicas of 100 apps behind 25 load balancers: how often it
//! calls AWS, beside the rates that AWS publishes and that the simulated region enforces here; how soon it is done after a
//! restart; and what it uses.
//!
//! The server is the real one, in a process of its own. Instances are states of the region, and what runs on them are agents in this
//! process, which run nothing. The first 1,000 are launched by the benchmark and written into the database as a restart would
//! find them, as hosts that have joined: the server's own pace is a launch a second. All later ones are its own, and join by
//! their identity documents. A number of instances as an argument gives a smaller fleet, and names of phases (`idle`, `restart`,
//! `roll-over`) only these.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    dead_code,
    reason = "a program that prints what it measured"
)]

#[path = "../../testkit/address.rs"]
mod address;
#[path = "../tests/stories/app.rs"]
mod app;
#[path = "aws/extent.rs"]
mod extent;
#[path = "aws/first.rs"]
mod first;
#[path = "aws/identity.rs"]
mod identity;
#[path = "../tests/stories/load.rs"]
mod load;
#[path = "aws/machines.rs"]
mod machines;
#[path = "../tests/stories/place.rs"]
mod place;
#[path = "../tests/stories/platform.rs"]
mod platform;
#[path = "scale/process.rs"]
mod process;
#[path = "../aws/tests/region/mod.rs"]
mod region;
#[path = "../tests/simulated/mod.rs"]
mod simulated;
#[path = "aws/sky.rs"]
mod sky;
#[path = "aws/tally.rs"]
mod tally;
#[path = "../tests/stories/visitor.rs"]
mod visitor;
#[path = "../tests/stories/wait.rs"]
mod wait;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use extent::Extent;
use machines::Machines;
use platform::TestPlatform;
use process::Stopwatch;
use serde_json::json;
use sky::Sky;
use tally::Tally;

/// How long nothing is done: as long as it takes until all rules and groups are looked at again.
const IDLE: Duration = Duration::from_secs(300);

/// How long the roll-over is followed.
const ROLL_OVER: Duration = Duration::from_secs(600);

/// How often it is looked how far it is; the region has other things to do.
const LOOK: Duration = Duration::from_secs(2);

/// Where hosts call.
const AGENTS: u16 = 5001;

/// By this key the region knows the server's calls from ours.
const KEY: &str = "AKIACONTROLPLANE0000";

/// Says that this process is in a network of its own.
const INSIDE: &str = "PAAS_BENCH_INSIDE";

/// What is measured after another, by name.
type Phase = (&'static str, fn(&mut Fleet));

fn main() {
    // `cargo bench` and `cargo nextest` pass flags of their own; a bench that is only listed must not run.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        go_inside();
    }
    raise_file_limit();
    let extent = Extent::of(std::env::args());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{extent}; {build} build, load average {}", load.trim());
    let Some(mut fleet) = Fleet::start(extent) else { return };
    fleet.settle();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let phases: [Phase; 3] =
        [("idle", Fleet::idle), ("restart", Fleet::restart), ("roll-over", Fleet::roll_over)];
    let all = !phases.iter().any(|(name, _)| wanted.iter().any(|one| one == name));
    for (name, phase) in phases {
        if all || wanted.iter().any(|one| one == name) {
            phase(&mut fleet);
        }
    }
}

/// Goes on in a network in which each instance's address is this computer's: whoever calls such an address calls from it, too, as an
/// instance does.
fn go_inside() {
    let network = "ip link set lo up && ip route add local 10.20.0.0/16 dev lo && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", network]).arg(std::env::current_exe().unwrap());
    let error = command.args(std::env::args().skip(1)).env(INSIDE, "1").exec();
    panic!("unshare: {error}");
}

struct Fleet {
    extent: Extent,
    platform: TestPlatform,
    machines: Machines,
    sky: Arc<Sky>,
    dir: tempfile::TempDir,
}

impl Fleet {
    fn start(extent: Extent) -> Option<Self> {
        let began = Instant::now();
        let sky = Arc::new(Sky::open(&extent)?);
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let hosts = dir.path().join("hosts");
        let authority = first::write(&data, &hosts, &sky, &extent);
        row("written and launched", &format!("{:.0} s, by the benchmark", began.elapsed().as_secs_f64()));
        sky.region.tell("throttle", &json!({ "scale": 1 }));
        let machines = Machines::open(&sky, authority, &hosts);
        let options = options(&sky, &machines);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let platform = TestPlatform::start_on(&data, &options, place::Place::default(), Ipv4Addr::LOCALHOST);
        Some(Self { extent, platform, machines, sky, dir })
    }

    fn pid(&self) -> u32 {
        self.platform.server_pid()
    }

    /// Waits until all instances are hosts, and all replicas serve behind their load balancers.
    fn settle(&mut self) {
        let (tally, watch) = (Tally::start(&self.sky), Stopwatch::start(self.pid()));
        self.machines.boot();
        self.wait("all instances to join", |fleet| fleet.machines.joined() == fleet.extent.instances);
        row("all have joined", &self.used(watch));
        self.wait("all replicas behind the load balancers", Self::is_whole);
        row(&format!("{} replicas behind load balancers", self.extent.replicas()), &self.used(watch));
        tally.finish(&self.sky).print("from nothing");
    }

    fn idle(&mut self) {
        // What has settled is looked at once more.
        std::thread::sleep(Duration::from_secs(20));
        let (tally, watch) = (Tally::start(&self.sky), Stopwatch::start(self.pid()));
        std::thread::sleep(IDLE);
        let share = watch.share();
        tally.finish(&self.sky).print("idle");
        row("idle", &format!("{share:.1} % of a core, {:.0} MB", process::memory(self.pid())));
    }

    /// Kills the server, takes one target out of each group by hand meanwhile, and waits until all is as it was.
    fn restart(&mut self) {
        self.platform.end_server(false);
        self.sky.region.tell("throttle", &json!({ "scale": null }));
        self.sky.spoil();
        self.sky.region.tell("throttle", &json!({ "scale": 1 }));
        let tally = Tally::start(&self.sky);
        let began = Instant::now();
        self.platform.start_again();
        row("restart: answers", &format!("{:.1} s", began.elapsed().as_secs_f64()));
        self.wait("what was changed to be put back", Self::is_whole);
        row(
            "  each group has its targets again",
            &format!("{:.1} s, {:.0} MB", began.elapsed().as_secs_f64(), process::peak(self.pid())),
        );
        tally.finish(&self.sky).print("restart");
    }

    /// Moves the launch template to another image, and follows what comes of it.
    fn roll_over(&mut self) {
        let image = self.sky.another_image();
        process::forget_peak(self.pid());
        let (tally, watch) = (Tally::start(&self.sky), Stopwatch::start(self.pid()));
        let mut least = usize::MAX;
        while tally.elapsed() < ROLL_OVER && self.sky.count_of(&image) < self.extent.instances {
            least = least.min(self.sky.fewest_healthy());
            std::thread::sleep(Duration::from_secs(5));
        }
        let (launched, ended) = (self.sky.count_of(&image), self.sky.ended());
        let tally = tally.finish(&self.sky);
        row(
            "roll-over of hosts",
            &format!(
                "{:.1} min: {launched} launched from the other image, {} joined, {ended} ended",
                tally.minutes(),
                self.machines.joined_from(&image)
            ),
        );
        row("  healthy targets of an app, at least", &format!("{least} of {}", extent::EACH));
        row("  used", &format!("{}, at most {:.0} MB", self.used(watch), process::peak(self.pid())));
        tally.print("roll-over");
    }

    fn is_whole(&self) -> bool {
        self.sky.healthy() == vec![extent::EACH; self.extent.apps()]
    }

    fn used(&self, watch: Stopwatch) -> String {
        format!("{:.0} s, {:.0} s of processor time", watch.elapsed().as_secs_f64(), watch.used())
    }

    /// Waits for as long as such a fleet may need, and says how far it is.
    fn wait(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(
                began.elapsed() < Duration::from_secs(1_200),
                "waited long for {what}: {} joined, targets {:?}",
                self.machines.joined(),
                self.sky.healthy()
            );
            std::thread::sleep(LOOK);
        }
    }
}

fn options(sky: &Sky, machines: &Machines) -> Vec<String> {
    let certificates = machines.certificates().display().to_string();
    let agents = SocketAddr::from((Ipv4Addr::UNSPECIFIED, AGENTS)).to_string();
    let given = ["--fleet", "aws", "--aws-name", "prod", "--agent-listen", &agents];
    let environment = [
        format!("env:PAASD_AWS_IDENTITY_CERTIFICATES={certificates}"),
        format!("env:AWS_ENDPOINT_URL={}", sky.region.url),
        "env:AWS_REGION=us-east-1".to_owned(),
        format!("env:AWS_ACCESS_KEY_ID={KEY}"),
        "env:AWS_SECRET_ACCESS_KEY=simulated".to_owned(),
        "env:AWS_EC2_METADATA_DISABLED=true".to_owned(),
        "env:AWS_CONFIG_FILE=/dev/null".to_owned(),
        "env:AWS_SHARED_CREDENTIALS_FILE=/dev/null".to_owned(),
    ];
    given.map(str::to_owned).into_iter().chain(environment).collect()
}

fn row(what: &str, figures: &str) {
    println!("{what:<60}{figures}");
}

fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}
