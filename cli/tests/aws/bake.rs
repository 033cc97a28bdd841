//! Images: baked by a builder that really runs, used by machines that start from them, renewed, tidied up.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cloud::{Cloud, IMAGE, hold, texts};
use crate::killed::killed_at_each_call;

/// Returns something that goes into an image as `paasd`: a program for Linux that ends as this one does, unlike others by
/// its last bytes.
fn program(dir: &Path, like: &str, unlike: &str) -> PathBuf {
    let path = dir.join(format!("paasd-{unlike}"));
    let mut bytes = fs::read(like).unwrap();
    bytes.extend(unlike.as_bytes());
    fs::write(&path, bytes).unwrap();
    path
}

fn bake(paasd: &Path) -> Vec<&str> {
    let paasd = paasd.to_str().unwrap();
    vec!["aws:bake", "--name", "prod", "--image", IMAGE, "--paasd", paasd, "--yes", "--json"]
}

fn image_of(told: &str) -> String {
    let told: Value = serde_json::from_str(told).unwrap();
    told["image"].as_str().unwrap().to_owned()
}

impl Cloud {
    /// Returns the platform's images, and how many snapshots it has.
    fn images(&self) -> (Vec<String>, usize) {
        (self.tagged("DescribeImages", "imageId"), self.tagged("DescribeSnapshots", "snapshotId").len())
    }

    /// Returns the image that the launch template names.
    fn in_use(&self) -> String {
        let template = self.tagged("DescribeLaunchTemplates", "launchTemplateId").remove(0);
        let call = [
            ("Action", "DescribeLaunchTemplateVersions"),
            ("LaunchTemplateId", &template),
            ("LaunchTemplateVersion.1", "$Default"),
        ];
        texts(&self.call("ec2", &call), "imageId").remove(0)
    }

    /// Returns the states of all instances of the platform.
    fn states(&self) -> Vec<String> {
        let state = |state: &Value| state["state"].as_str().unwrap().to_owned();
        let mut states: Vec<_> =
            self.ask("state")["instances"].as_object().unwrap().values().map(state).collect();
        states.retain(|state| state != "terminated" && state != "shutting-down");
        states
    }

    fn launches(&self) -> u64 {
        self.ask("counts")["ec2 RunInstances"].as_u64().unwrap_or(0)
    }
}

/// Says what a machine that is started from the image finds.
const LOOKS: &str = "#!/bin/bash
/opt/paas/bin/paasd >/dev/null && echo runs
grep -q 'ExecStart=/opt/paas/bin/paasd agent --config /etc/paas/agent.toml' /etc/systemd/system/paas-agent.service && echo service
[ -L /etc/systemd/system/multi-user.target.wants/paas-agent.service ] && echo enabled
[ -f /etc/machine-id ] && [ ! -s /etc/machine-id ] && echo nameless
compgen -G '/etc/ssh/ssh_host_*' || compgen -G '/opt/paas/bin/*.part' || echo clean
grep -rqs X-Amz-Signature /var/lib/cloud /etc /opt/paas || echo silent
echo looked
";

#[test]
fn an_image_is_baked_and_hosts_start_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let Some(cloud) = Cloud::start_with_machines() else { return };
    cloud.up(&[]);
    let paasd = program(dir.path(), "/bin/true", "1");
    let image = image_of(&cloud.ok(&bake(&paasd)));
    assert_eq!((cloud.images(), cloud.in_use()), ((vec![image.clone()], 1), image.clone()));
    assert_eq!(cloud.states(), Vec::<String>::new());

    // The image is no change that the set-up takes back.
    let plan: Value = serde_json::from_str(&cloud.ok(&["aws:plan", "--name", "prod", "--json"])).unwrap();
    assert_eq!(plan["steps"], json!([]));

    let template = cloud.tagged("DescribeLaunchTemplates", "launchTemplateId").remove(0);
    let subnet = cloud.tagged("DescribeSubnets", "subnetId").remove(0);
    let host = cloud.call(
        "ec2",
        &[
            ("Action", "RunInstances"),
            ("LaunchTemplate.LaunchTemplateId", &template),
            ("SubnetId", &subnet),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("UserData", &base64(LOOKS)),
        ],
    );
    let host = texts(&host, "instanceId").remove(0);
    let seen = cloud.console(&host, "looked");
    for finds in ["runs", "service", "enabled", "nameless", "clean", "silent"] {
        assert!(seen.lines().any(|line| line == finds), "not {finds}: {seen}");
    }

    let launches = cloud.launches();
    assert_eq!(image_of(&cloud.ok(&bake(&paasd))), image);
    assert_eq!(cloud.launches(), launches, "it was baked again");
}

#[test]
fn the_last_three_images_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let Some(cloud) = Cloud::start_with_machines() else { return };
    cloud.up(&[]);
    let baked: Vec<String> = ["1", "2", "3", "4"]
        .into_iter()
        .map(|unlike| image_of(&cloud.ok(&bake(&program(dir.path(), "/bin/true", unlike)))))
        .collect();
    let mut kept = baked[1..].to_vec();
    kept.sort();
    assert_eq!(cloud.images(), (kept, 3));
    assert_eq!(cloud.in_use(), baked[3]);
    // Back to what there was: nothing is baked for that.
    let launches = cloud.launches();
    assert_eq!(image_of(&cloud.ok(&bake(&dir.path().join("paasd-3")))), baked[2]);
    assert_eq!((cloud.in_use(), cloud.launches()), (baked[2].clone(), launches));

    cloud.ok(&["aws:down", "--name", "prod", "--yes", "--delete-bucket"]);
    assert_eq!(cloud.images(), (vec![], 0));
}

#[test]
fn a_builder_that_fails_is_ended_and_the_next_run_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let Some(cloud) = Cloud::start_with_machines() else { return };
    cloud.up(&[]);
    let before = cloud.in_use();
    let bad = program(dir.path(), "/bin/false", "1");
    for _ in 0..2 {
        let told = cloud.fails(&bake(&bad));
        assert!(told.contains("the builder failed: programs and slugs: line"), "{told}");
        assert!(told.contains("its console"), "{told}");
        assert_eq!(cloud.states(), Vec::<String>::new());
    }
    assert_eq!((cloud.images(), cloud.in_use()), ((vec![], 0), before));
    let image = image_of(&cloud.ok(&bake(&program(dir.path(), "/bin/true", "2"))));
    assert_eq!(cloud.in_use(), image);
}

#[test]
fn killed_at_each_call_it_ends_with_one_image_and_no_builder() {
    let dir = tempfile::tempdir().unwrap();
    let Some(cloud) = Cloud::start_with_machines() else { return };
    cloud.up(&[]);
    // Upload, launch, image, version, default, end of the builder. One that is held before it is carried out is carried out
    // late, when who asked is no more.
    let late = json!({ "skip": 1, "hold": "before" });
    for (number, (unlike, more, least)) in [("1", json!({}), 6), ("2", late, 3)].into_iter().enumerate() {
        let mut fault = hold("after");
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let paasd = program(dir.path(), "/bin/true", unlike);
        let runs = killed_at_each_call(&cloud, &bake(&paasd), &fault);
        assert!(runs >= least, "only {runs} calls were stopped");
        let (images, snapshots) = cloud.images();
        assert_eq!((images.len(), snapshots), (number + 1, number + 1));
        assert!(images.contains(&cloud.in_use()));
        assert_eq!(cloud.states(), Vec::<String>::new());
        assert_eq!(cloud.instances(), number + 1, "a second builder was started");
    }
}

fn base64(text: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut process =
        Command::new("base64").arg("--wrap=0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
}
