//! The control plane's machine, which nobody logs in to: another paasd, a backup in the place of its data, and another machine in its
//! own place. Visitors notice nothing.

use serde_json::Value;

use crate::platform::{Platform, another_paasd, until};

const ZONES: [(&str, usize); 3] = [("us-east-1a", 1), ("us-east-1b", 1), ("us-east-1c", 1)];

impl Platform {
    fn backups(&self) -> Vec<String> {
        let told = self.cloud.ok(&["aws:backups", "--name", "prod", "--json"]);
        let told: Value = serde_json::from_str(&told).unwrap();
        told.as_array().unwrap().iter().map(|backup| backup["name"].as_str().unwrap().to_owned()).collect()
    }

    fn update(&self, what: &[&str]) -> Value {
        let words = [&["aws:update", "--name", "prod", "--yes", "--json"], what].concat();
        serde_json::from_str(&self.cloud.ok(&words)).unwrap()
    }

    /// Has the control plane's machine be there; returns what was told.
    fn starts(&self, more: &[&str]) -> String {
        let words = self.server(&[&["--json"], more].concat());
        self.cloud.ok(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Waits until the app is shown as it was after a push, with all of its replicas.
    fn shows(&self, greeting: &str) {
        until("the app to be as it was", || self.page().contains(greeting).then_some(()));
        self.at_rest(&ZONES, 3);
    }
}

#[test]
fn a_machine_that_nobody_logs_in_to_gets_another_paasd_and_its_data_back() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut platform) = Platform::start() else { return };
    platform.open_shop(3);
    platform.at_rest(&ZONES, 3);
    until("the first backup", || (!platform.backups().is_empty()).then_some(()));
    let program = another_paasd(dir.path());

    let updated = platform.during("another paasd on the control plane", || {
        let told = platform.update(&["--paasd", program.to_str().unwrap()]);
        assert_eq!(told["failure"], Value::Null);
        assert!(told["serves_since"].is_string(), "{told}");
        assert!(told["backup"].as_str().unwrap().starts_with("s3://paas-prod-"), "{told}");
        // What is so needs nothing.
        assert_eq!(platform.update(&["--paasd", program.to_str().unwrap()]), told);
        platform.at_rest(&ZONES, 3);
    });
    updated.assert_none_failed();
    assert_eq!(platform.backups().len(), 2);

    // The machine is lost, with its disk: another one has its address and its data.
    let told: Value = serde_json::from_str(&platform.starts(&[])).unwrap();
    let (lost, address) = (told["instance"].as_str().unwrap().to_owned(), told["address"].clone());
    let mut told = Value::Null;
    let replaced = platform.during("another machine in the place of the control plane's", || {
        platform.cloud.call("ec2", &[("Action", "TerminateInstances"), ("InstanceId.1", &lost)]);
        let unsure = platform.server(&[]);
        let unsure = platform.cloud.run(&unsure.iter().map(String::as_str).collect::<Vec<_>>());
        let refused = String::from_utf8(unsure.stderr).unwrap();
        assert_eq!(unsure.status.code(), Some(2), "{refused}");
        assert!(refused.contains("there are backups") && refused.contains("--restore newest"), "{refused}");
        told = serde_json::from_str(&platform.starts(&["--restore", "newest"])).unwrap();
        until("the control plane to be back", || platform.log_in().then_some(()));
    });
    replaced.assert_none_failed();
    assert_ne!(told["instance"], *lost);
    assert_eq!(told["address"], address);
    platform.enter(&told);
    let settled = platform.during("its hosts get to know it", || platform.shows("first"));
    settled.assert_none_failed();

    let (deployed, told) = platform.push("second");
    assert!(deployed, "{told}");
    platform.shows("second");
    // Replicas that the platform does not know any more serve until those of the earlier release do.
    let restored = platform.during("the backup of before in the place of the data", || {
        platform.update(&["--restore", "newest"]);
        platform.shows("first");
    });
    restored.assert_none_failed();
}

#[test]
fn a_fleet_that_is_newer_than_the_backup_serves_until_another_does() {
    let dir = tempfile::tempdir().unwrap();
    let Some(platform) = Platform::start() else { return };
    platform.open_shop(3);
    let before = platform.at_rest(&ZONES, 3);
    platform.update(&["--paasd", another_paasd(dir.path()).to_str().unwrap()]);
    platform.bake();
    until("all hosts to be replaced", || {
        let machines = platform.inventory().machines;
        machines.keys().all(|id| !before.machines.contains_key(id)).then_some(())
    });
    let newer = platform.at_rest(&ZONES, 3);

    let restored = platform.during("the backup of before all hosts were replaced", || {
        platform.update(&["--restore", "newest"]);
        until("other hosts to serve alone", || {
            let now = platform.inventory();
            let served = now.targets(|state| state == "healthy");
            let all = now.groups.values().map(std::collections::BTreeMap::len).sum::<usize>();
            let others = served.iter().all(|id| !newer.machines.contains_key(id));
            ((served.len(), all) == (3, 3) && others).then_some(())
        });
    });
    restored.assert_none_failed();
    // They are ended a while later; nobody visits them by then.
    let machines = platform.inventory().machines;
    assert!(newer.machines.keys().all(|id| machines[id].state == "running"), "{machines:#?}");
}
