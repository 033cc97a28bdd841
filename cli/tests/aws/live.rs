//! The test for real accounts, `scripts/test-aws-live`, in the simulated region: that it does what it says, costs no more than it may,
//! and leaves nothing behind.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cloud::{Cloud, IMAGE};
use crate::platform::{image, until};
use crate::server::CERTIFICATE;

/// The platform that it makes; `Cloud::census` counts the parts of this one.
const NAME: &str = "prod";

/// Returns the script, with a certificate and programs, for a cloud.
fn script(cloud: &Cloud, cap: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/test-aws-live");
    let programs = Path::new(env!("CARGO_BIN_EXE_paasctl")).parent().unwrap();
    let certificate = cloud.home().join("identity.pem");
    // Without machines there is none, and nobody reads it.
    fs::write(&certificate, cloud.ask("identity")["rsa2048"].as_str().unwrap_or(CERTIFICATE)).unwrap();
    // On the simulated internet /proc shows other processes than these, and `paasctl` finds itself by it.
    let words = ["--pid", "--fork", "--kill-child", "--mount-proc", "bash", script.to_str().unwrap()];
    let mut command = if cloud.has_machines() {
        cloud.program("unshare", &words)
    } else {
        cloud.program("bash", &words[5..])
    };
    command
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("AWS_LIVE_CAP", cap)
        .env("AWS_LIVE_CERTIFICATES", certificate)
        .env("AWS_LIVE_BIN", programs)
        .env("AWS_LIVE_NAME", NAME)
        // A machine here has its disk in memory.
        .env("AWS_LIVE_OPTIONS", "reserve-mb = 50");
    command
}

#[track_caller]
fn assert_nothing_is_left(cloud: &Cloud) {
    let left: Vec<_> = cloud.census().into_iter().filter(|(_, count)| *count > 0).collect();
    // Instances that have ended are shown for an hour.
    assert!(left.iter().all(|(what, _)| *what == "DescribeInstances"), "{left:?}");
    let state = cloud.ask("state");
    let instances = state["instances"].as_object().unwrap().values();
    let there: Vec<_> = instances
        .filter(|one| !matches!(one["state"].as_str(), Some("terminated" | "shutting-down")))
        .collect();
    assert!(there.is_empty(), "{there:?}");
    assert_eq!(cloud.tagged("DescribeVolumes", "volumeId"), Vec::<String>::new());
}

#[test]
fn nothing_is_begun_without_a_cap_or_beyond_it() {
    let Some(cloud) = Cloud::start() else { return };
    for (cap, says) in [("", "AWS_LIVE_CAP has to say"), ("0.10", "that is more than the cap")] {
        let output = script(&cloud, cap).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), told.contains(says)), (Some(2), true), "{told}");
    }
    let counts = cloud.ask("counts");
    let changes = |action: &&String| action.contains("Create") || action.contains("RunInstances");
    assert_eq!(counts.as_object().unwrap().keys().find(changes), None);
}

#[test]
fn told_to_end_in_the_middle_it_removes_what_it_made() {
    let Some(cloud) = Cloud::start() else { return };
    // Without machines nothing answers, and it waits for the control plane.
    let mut process = script(&cloud, "5").env("AWS_LIVE_IMAGE", IMAGE).spawn().unwrap();
    until("the control plane's machine", || (cloud.instances() == 1).then_some(()));
    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
    let code = process.wait().unwrap().code();
    let mut told = String::new();
    std::io::Read::read_to_string(&mut process.stdout.take().unwrap(), &mut told).unwrap();
    assert_eq!((code, told.contains("Nothing of prod is left.")), (Some(130), true), "{told}");
    assert_nothing_is_left(&cloud);
}

#[test]
fn from_nothing_to_a_deployed_app_and_back() {
    let programs = Path::new(env!("CARGO_BIN_EXE_paasctl")).parent().unwrap();
    if !programs.join("paasd").is_file() {
        eprintln!(
            "SKIPPED: there is no paasd beside paasctl; `cargo build -p paasd --features aws` makes it"
        );
        return;
    }
    let Some(cloud) = Cloud::start_with_machines_that_see(Some(programs)) else { return };
    cloud.tell("times", &serde_json::json!({ "health_scale": 0.2, "drain_scale": 0.1 }));
    let image = image(&cloud, "with paasd");
    // In place of the simulated internet's DNS.
    let file = cloud.home().join("hosts");
    fs::write(&file, "").unwrap();
    let named = cloud.program("mount", &["--bind", file.to_str().unwrap(), "/etc/hosts"]).status();
    assert!(named.unwrap().success());
    let process = script(&cloud, "5").env("AWS_LIVE_IMAGE", image).spawn().unwrap();
    fs::write(&file, until("the load balancer", || names(&cloud.ask("lbs")))).unwrap();
    let output = process.wait_with_output().unwrap();
    let (told, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{error}");
    assert!(told.contains("All of it works.") && told.contains("Nothing of prod is left."), "{told}{error}");
    assert_nothing_is_left(&cloud);
}

/// Returns the addresses of load balancers with their names, as `/etc/hosts` has them.
fn names(balancers: &Value) -> Option<String> {
    let balancer = balancers.as_object()?.values().next()?;
    let name = balancer["dns_name"].as_str()?;
    let addresses = balancer["addresses"].as_array()?.iter();
    let lines: Vec<_> =
        addresses.map(|one| format!("{} {name}\n", one["address"].as_str().unwrap())).collect();
    (!lines.is_empty()).then(|| lines.concat())
}
