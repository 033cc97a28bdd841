//! A simulated AWS of its own for a test, `paasctl` pointed at it, and a second pair of eyes: what is there is counted with
//! plain requests, and not with the code under test.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[path = "../../../testkit/simcloud/process.rs"]
mod process;

use process::Simcloud;

/// What a request to S3 is signed with; the simulated region looks whether there is something.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAOTHER/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// The image that the simulated region has.
pub(crate) const IMAGE: &str = "ami-12c6146b";

/// A cloud with nothing in it but what every account has.
pub(crate) struct Cloud {
    region: Simcloud,
    home: tempfile::TempDir,
    /// What a command is run by, to be on the simulated internet.
    way_in: Vec<String>,
}

/// Where the cloud is on the simulated internet.
const INSIDE: &str = "http://198.51.100.10";

impl Cloud {
    /// Starts one, where `make test` has put what it needs.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts one whose instances run, where that is possible without a risk for this computer.
    pub(crate) fn start_with_machines() -> Option<Self> {
        Self::start_with_machines_that_see(None)
    }

    /// The same; machines see a directory as it is here.
    pub(crate) fn start_with_machines_that_see(shared: Option<&Path>) -> Option<Self> {
        // A machine writes into a layer of its own; where there can be none, it would be this computer's own files.
        let layer = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root && mount -t overlay overlay \
            -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root && command -v haproxy ip nft curl nsenter";
        let tried =
            Command::new("unshare").args(["--net", "--mount", "--pid", "--fork", "sh", "-c", layer]).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            eprintln!(
                "SKIPPED: a simulated AWS with machines needs root, overlays and what `scripts/prerequisites test` installs"
            );
            return None;
        }
        let mut options = vec!["--machines"];
        options.extend(shared.and_then(Path::to_str).map(|path| ["--share", path]).into_iter().flatten());
        let mut cloud = Self::start_with(&options)?;
        cloud.tell("times", &json!({ "boot": 0.05, "provision": 0.05, "image": 0.2 }));
        let neighbour = cloud.neighbour();
        let words = ["nsenter", "--target", &neighbour, "--net", "--mount", "--wd=/"];
        cloud.way_in = words.map(str::to_owned).to_vec();
        Some(cloud)
    }

    /// Tells whether its instances run.
    pub(crate) fn has_machines(&self) -> bool {
        !self.way_in.is_empty()
    }

    /// Returns the directory in which who runs the commands keeps files.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns the process of a machine whose command line begins so.
    pub(crate) fn process_of(&self, command: &str) -> Option<String> {
        let mut processes = vec![self.region.process.id().to_string()];
        while let Some(process) = processes.pop() {
            let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).replace('\0', " ").starts_with(command) {
                return Some(process);
            }
            processes.extend(children(&process));
        }
        None
    }

    /// Returns the process that is the simulated internet.
    fn neighbour(&self) -> String {
        let core = children(&self.region.process.id().to_string()).remove(0);
        let internet = |process: &String| {
            let words = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains("internet")
        };
        children(&core).into_iter().find(internet).unwrap()
    }

    fn start_with(options: &[&str]) -> Option<Self> {
        let region = Simcloud::start(options)?;
        Some(Self { region, home: tempfile::tempdir().unwrap(), way_in: Vec::new() })
    }

    /// Returns the command, with credentials for this cloud and no way to another.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_paasctl"), arguments)
    }

    /// Returns a program where `paasctl` is run, with the same environment.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let program = program.to_owned();
        let mut words = self.way_in.iter().chain([&program]);
        let mut command = Command::new(words.next().unwrap());
        let url = if self.way_in.is_empty() { &self.region.url } else { INSIDE };
        command
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("COLUMNS", "200")
            .env("AWS_ENDPOINT_URL", url)
            // Also says that a bucket's name is no part of the endpoint's.
            .env("AWS_ENDPOINT_URL_S3", url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIASIMCLOUD00000000")
            .env("AWS_SECRET_ACCESS_KEY", "simulated")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail; returns what it said.
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes or completes the set-up `prod`.
    pub(crate) fn up(&self, more: &[&str]) -> Value {
        let mut arguments = up();
        arguments.extend(more);
        arguments.push("--json");
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// Returns the steps that are left to do.
    pub(crate) fn steps(&self, more: &[&str]) -> Vec<Value> {
        let mut arguments = vec!["aws:plan", "--name", "prod", "--image", IMAGE, "--json"];
        arguments.extend(more);
        let plan: Value = serde_json::from_str(&self.ok(&arguments)).unwrap();
        plan["steps"].as_array().unwrap().clone()
    }

    /// Tells the cloud what to do to those who use it.
    pub(crate) fn tell(&self, what: &str, wish: &Value) -> Value {
        self.region.tell(what, wish)
    }

    pub(crate) fn ask(&self, what: &str) -> Value {
        self.region.ask(what)
    }

    /// Makes a plain call, as another tool in the account would; returns the answer's text.
    pub(crate) fn call(&self, service: &str, form: &[(&str, &str)]) -> String {
        let scope = format!("Credential=AKIAOTHER/20260101/us-east-1/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let version = match service {
            "ec2" => "2016-11-15",
            "iam" => "2010-05-08",
            _ => "2015-12-01",
        };
        let form: Vec<_> = form.iter().copied().chain([("Version", version)]).collect();
        let request = ureq::post(&self.region.url).header("Authorization", &signed);
        request.send_form(form).unwrap().body_mut().read_to_string().unwrap()
    }

    /// Sets the rules by which the platform's bucket removes things by itself, or returns them.
    pub(crate) fn lifecycle(&self, rules: Option<&str>) -> String {
        match rules {
            Some(rules) => {
                let put = ureq::put(self.in_bucket("?lifecycle")).header("Authorization", SIGNED).send(rules);
                put.unwrap().body_mut().read_to_string().unwrap()
            }
            None => self.object("?lifecycle").unwrap(),
        }
    }

    /// Returns the text of an object in the platform's bucket, if it is there.
    pub(crate) fn object(&self, key: &str) -> Option<String> {
        let answer = ureq::get(self.in_bucket(key)).header("Authorization", SIGNED).call();
        answer.ok()?.body_mut().read_to_string().ok()
    }

    fn in_bucket(&self, key: &str) -> String {
        format!("{}/paas-prod-123456789012-us-east-1/{key}", self.region.url)
    }

    /// Returns the ids of all resources of a kind that carry the tag of `prod`.
    pub(crate) fn tagged(&self, action: &str, id: &str) -> Vec<String> {
        let filter = [("Filter.1.Name", "tag:paas:cluster"), ("Filter.1.Value.1", "prod")];
        let form: Vec<_> = [("Action", action)].into_iter().chain(filter).collect();
        let mut ids = texts(&self.call("ec2", &form), id);
        ids.sort();
        ids.dedup();
        ids
    }

    /// Returns how many of each kind there are.
    pub(crate) fn census(&self) -> Vec<(&'static str, usize)> {
        let network = [
            ("DescribeVpcs", "vpcId"),
            ("DescribeInternetGateways", "internetGatewayId"),
            ("DescribeSubnets", "subnetId"),
            ("DescribeRouteTables", "routeTableId"),
            ("DescribeAddresses", "allocationId"),
            ("DescribeSecurityGroups", "groupName"),
            ("DescribeLaunchTemplates", "launchTemplateId"),
            ("DescribeInstances", "instanceId"),
        ];
        let mut counts: Vec<_> =
            network.into_iter().map(|(action, id)| (action, self.tagged(action, id).len())).collect();
        // Those that are gone are shown for a while.
        let endpoints = self.call(
            "ec2",
            &[
                ("Action", "DescribeVpcEndpoints"),
                ("Filter.1.Name", "tag:paas:cluster"),
                ("Filter.1.Value.1", "prod"),
            ],
        );
        counts.push((
            "endpoints",
            texts(&endpoints, "state").iter().filter(|state| *state == "available").count(),
        ));
        let own = ["paas-prod", "paas-prod-control", "paas-prod-host"];
        let named = |service, action, id| {
            let all = texts(&self.call(service, &[("Action", action)]), id);
            all.iter().filter(|name| own.contains(&name.as_str())).count()
        };
        counts.push(("roles", named("iam", "ListRoles", "RoleName")));
        counts.push(("profiles", named("iam", "ListInstanceProfiles", "InstanceProfileName")));
        let elb = "elasticloadbalancing";
        counts.push(("balancers", named(elb, "DescribeLoadBalancers", "LoadBalancerName")));
        counts
    }

    /// Returns what an instance has printed, once a word is there.
    pub(crate) fn console(&self, id: &str, until: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let told = self.call("ec2", &[("Action", "GetConsoleOutput"), ("InstanceId", id)]);
            let printed = texts(&told, "output").pop().unwrap_or_default();
            let mut decode = Command::new("base64")
                .arg("-d")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            decode.stdin.take().unwrap().write_all(printed.as_bytes()).unwrap();
            let printed = String::from_utf8(decode.wait_with_output().unwrap().stdout).unwrap();
            if printed.contains(until) {
                return printed;
            }
            assert!(Instant::now() < deadline, "{printed}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns how many instances there were ever.
    pub(crate) fn instances(&self) -> usize {
        self.ask("state")["instances"].as_object().unwrap().len()
    }

    /// Tells whether a fault holds a call.
    pub(crate) fn is_caught(&self, number: &Value) -> bool {
        self.count(number, "held") > 0
    }

    /// Tells whether a fault has a call, which it holds now or in a moment.
    pub(crate) fn has_struck(&self, number: &Value) -> bool {
        self.count(number, "struck") > 0
    }

    fn count(&self, number: &Value, of: &str) -> u64 {
        let faults = self.ask("faults");
        let all = faults.as_array().or_else(|| faults["faults"].as_array()).unwrap();
        let fault = all.iter().find(|fault| fault["number"] == *number);
        fault.and_then(|fault| fault[of].as_u64()).unwrap_or_default()
    }

    /// Waits until a fault has caught a call; false, if the process ended before.
    pub(crate) fn caught(&self, number: &Value, process: &mut Child) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if self.is_caught(number) {
                return true;
            }
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "neither caught nor finished");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Returns the processes that a process has started.
fn children(process: &str) -> Vec<String> {
    // One that has just ended has none.
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    let lists =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Returns the command that makes the set-up `prod`.
pub(crate) fn up() -> Vec<&'static str> {
    vec!["aws:up", "--name", "prod", "--image", IMAGE, "--yes"]
}

/// Returns the texts of all elements of that name.
pub(crate) fn texts(answer: &str, element: &str) -> Vec<String> {
    let begin = format!("<{element}>");
    answer.split(&begin).skip(1).filter_map(|rest| Some(rest.split_once('<')?.0.to_owned())).collect()
}

/// Returns what makes one call of those that change something wait, and be killed while it does.
pub(crate) fn hold(when: &str) -> Value {
    json!({ "action": CHANGES, "hold": when, "times": 1 })
}

/// All calls but those that only look, of protocols with actions and of S3.
pub(crate) const CHANGES: &str = "(?!Describe|Get|List|Head|GET |HEAD ).*";
