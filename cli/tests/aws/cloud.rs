//! A simulated AWS of its own for a test, `paasctl` pointed at it, and a second pair of eyes: what is there is counted with
//! plain requests, and not with the code under test.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The image that the simulated region has.
const IMAGE: &str = "ami-12c6146b";

/// A cloud with nothing in it but what every account has.
pub(crate) struct Cloud {
    process: Child,
    pub(crate) url: String,
    home: tempfile::TempDir,
}

impl Cloud {
    /// Starts one, where `make test` has put what it needs.
    pub(crate) fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let program: PathBuf = root.join("scripts/simcloud");
        if !root.join("target/tools/simcloud").is_dir() {
            eprintln!(
                "SKIPPED: there is no simulated AWS here; `scripts/prerequisites test` installs what it needs"
            );
            return None;
        }
        let mut process = Command::new(program)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let url =
            ready.trim().strip_prefix("simcloud ready ").unwrap_or_else(|| panic!("{ready}")).to_owned();
        Some(Self { process, url, home: tempfile::tempdir().unwrap() })
    }

    /// Returns the command, with credentials for this cloud and no way to another.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paasctl"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("COLUMNS", "200")
            .env("AWS_ENDPOINT_URL", &self.url)
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
        let mut answer = ureq::post(&format!("{}/_sim/{what}", self.url)).send_json(wish).unwrap();
        answer.body_mut().read_json().unwrap()
    }

    pub(crate) fn ask(&self, what: &str) -> Value {
        ureq::get(&format!("{}/_sim/{what}", self.url)).call().unwrap().body_mut().read_json().unwrap()
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
        let request = ureq::post(&self.url).header("Authorization", &signed);
        request.send_form(form).unwrap().body_mut().read_to_string().unwrap()
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

    /// Waits until a fault has caught a call; false, if the process ended before.
    pub(crate) fn caught(&self, number: &Value, process: &mut Child) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let faults = self.ask("faults");
            let all = faults.as_array().or_else(|| faults["faults"].as_array()).unwrap().clone();
            if all.iter().any(|fault| fault["number"] == *number && fault["held"].as_u64() > Some(0)) {
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

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
const CHANGES: &str = "(?!Describe|Get|List|Head|GET |HEAD ).*";
