//! The control plane's machine: one, with what it needs and no more, whatever goes wrong while it is asked for.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cloud::{Cloud, IMAGE, hold, texts};
use crate::killed::killed_at_each_call;
use crate::platform::until;

/// What stands for AWS's certificate; only the machine would read it.
pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/// Returns the command, for a cloud without machines to look into.
fn server(cloud: &Cloud) -> Vec<String> {
    let file = cloud.home().join("identity.pem");
    fs::write(&file, CERTIFICATE).unwrap();
    let words =
        ["aws:server", "--name", "prod", "--image", IMAGE, "--domain", "apps.example.org", "--yes", "--json"];
    let file = ["--identity-certificates", file.to_str().unwrap()];
    words.iter().chain(&file).map(|word| (*word).to_owned()).collect()
}

impl Cloud {
    fn serve(&self) -> Value {
        let words = server(self);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        serde_json::from_str(&self.ok(&words)).unwrap()
    }

    fn instance(&self, id: &str) -> String {
        self.call("ec2", &[("Action", "DescribeInstances"), ("InstanceId.1", id)])
    }

    fn disks(&self) -> Vec<String> {
        self.tagged("DescribeVolumes", "volumeId")
    }
}

/// Returns the file with the first administrator's token.
fn token_file(told: &Value) -> PathBuf {
    PathBuf::from(told["token_file"].as_str().unwrap())
}

#[test]
fn there_is_one_with_what_it_needs_and_nothing_secret_in_what_it_is_told() {
    let Some(cloud) = Cloud::start() else { return };
    let site = cloud.up(&[]);
    let told = cloud.serve();
    let id = told["instance"].as_str().unwrap();
    assert_eq!(told["url"], "http://api.apps.example.org");
    let shown = cloud.instance(id);
    assert_eq!(texts(&shown, "httpTokens"), ["required"]);
    assert_eq!(texts(&shown, "subnetId")[0], site["control_subnet"].as_str().unwrap());
    assert!(shown.contains(":instance-profile/paas-prod-control"), "{shown}");
    assert!(
        texts(&shown, "groupId").contains(&site["control_group"].as_str().unwrap().to_owned()),
        "{shown}"
    );
    let disk = cloud.call("ec2", &[("Action", "DescribeVolumes"), ("VolumeId.1", &cloud.disks()[0])]);
    assert_eq!((texts(&disk, "encrypted"), texts(&disk, "size")), (vec!["true".into()], vec!["40".into()]));

    let form = [("Action", "DescribeInstanceAttribute"), ("InstanceId", id), ("Attribute", "userData")];
    let encoded = texts(&cloud.call("ec2", &form), "value").remove(0);
    let script = decoded(&encoded);
    let token = fs::read_to_string(token_file(&told)).unwrap();
    assert!(script.contains("admin-token-sha256 = ") && !script.contains(token.trim()), "{script}");
    assert!(script.contains("blobs = \"s3://paas-prod-123456789012-us-east-1\""), "{script}");

    assert_eq!(cloud.serve(), told, "the second run has nothing to do");
    assert_eq!(cloud.instances(), 1);
    assert!(cloud.steps(&[]).is_empty(), "it is no part of the set-up that `aws:up` takes back");
}

#[test]
fn an_image_without_the_platform_is_refused() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    let mut words = server(&cloud);
    words.retain(|word| word != "--image" && word != IMAGE);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let told = cloud.fails(&words);
    assert!(told.contains("none that `aws:bake` made") && told.contains("paasctl aws:bake"), "{told}");
    assert_eq!(cloud.instances(), 0);
}

#[test]
fn nobody_is_asked_where_nobody_can_answer_but_the_price_is_shown() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    let mut words = server(&cloud);
    words.retain(|word| word != "--yes");
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let output = cloud.run(&words);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    // 730 h of a t3.medium and of an address, 40 GB.
    assert!(told.contains("$37.22") && told.contains("Say --yes"), "{told}");
    assert_eq!(cloud.instances(), 0);
}

#[test]
fn one_that_is_off_is_started_again() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    let told = cloud.serve();
    let id = told["instance"].as_str().unwrap();
    cloud.call("ec2", &[("Action", "StopInstances"), ("InstanceId.1", id)]);
    assert_eq!(cloud.serve()["instance"], id);
    assert_eq!(
        (cloud.ask("state")["instances"][id]["state"].as_str(), cloud.instances()),
        (Some("running"), 1)
    );
}

#[test]
fn its_disk_goes_only_when_that_is_asked_for() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    cloud.serve();
    let disks = cloud.disks();
    assert_eq!(disks.len(), 1);
    cloud.ok(&["aws:down", "--name", "prod", "--yes"]);
    assert!(cloud.census().iter().all(|(what, count)| *count == 0 || *what == "DescribeInstances"));
    assert_eq!(cloud.disks(), disks);
    cloud.ok(&["aws:down", "--name", "prod", "--yes", "--delete-data"]);
    assert_eq!(cloud.disks(), Vec::<String>::new());
}

#[test]
fn killed_at_its_call_it_is_one_machine_with_one_token_all_the_same() {
    // The launch, before it is carried out and after.
    for when in ["before", "after"] {
        let Some(cloud) = Cloud::start() else { return };
        cloud.up(&[]);
        let words = server(&cloud);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let runs = killed_at_each_call(&cloud, &words, &hold(when));
        assert!(runs >= 1, "no call was stopped");
        let told = cloud.serve();
        assert_eq!(cloud.instances(), 1, "a second machine was started");
        let kept = fs::read_dir(token_file(&told).parent().unwrap()).unwrap();
        assert_eq!(kept.count(), 1);
    }
}

#[test]
fn a_lost_answer_and_a_machine_out_of_sight_do_not_make_a_second_one() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    cloud.tell("lag", &json!({ "seconds": 5 }));
    cloud.tell("fault", &json!({ "action": "RunInstances", "drop": "after", "times": 1 }));
    let told = cloud.serve();
    assert_eq!((cloud.serve(), cloud.instances()), (told, 1));
}

#[test]
fn of_two_who_ask_the_machine_at_once_the_first_hears_of_it() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.up(&[]);
    cloud.serve();
    let update = |program: &str| {
        let words = ["aws:update", "--name", "prod", "--yes", "--paasd", program];
        cloud.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = update(std::env::current_exe().unwrap().to_str().unwrap());
    until("its order", || cloud.object("control/order.json"));
    // There is no machine here that would do it, so this one waits.
    let mut second = update("/bin/true");
    let told = String::from_utf8(first.wait_with_output().unwrap().stderr).unwrap();
    assert!(told.contains("somebody else has asked"), "{told}");
    second.kill().unwrap();
    second.wait().unwrap();
}

fn decoded(text: &str) -> String {
    use std::io::Write as _;
    use std::process::Command;
    let mut process =
        Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
}
