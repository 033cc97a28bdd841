//! A backup is taken while people push and visit; everything is lost; the restored platform serves every app as it was.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::{TestApp, text};
use crate::disk::SmallDisk;
use crate::platform::{TestPlatform, binary};
use crate::visitor;
use crate::wait;

/// Runs paasd with paths as options.
pub(crate) fn paasd(arguments: &[&str], paths: &[(&str, &Path)]) -> Output {
    let mut paasd = Command::new(binary("paasd"));
    paasd.args(arguments);
    for (option, path) in paths {
        paasd.arg(option).arg(path);
    }
    paasd.output().unwrap()
}

/// Makes a backup in a directory and returns what is said of it.
pub(crate) fn backup(platform: &TestPlatform, to: &Path) -> serde_json::Value {
    let done = paasd(&["backup", "--json"], &[("--data-dir", &platform.data), ("--to", to)]);
    assert!(done.status.success(), "{}", text(&done));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Returns an app of a platform that was restored, with an empty working copy.
pub(crate) fn known<'a>(platform: &'a TestPlatform, name: &str) -> TestApp<'a> {
    let app = platform.known_app(name);
    fs::create_dir_all(&app.dir).unwrap();
    app.git(&["init", "-q", "-b", "main"]);
    app.git(&["config", "user.name", "Ada"]);
    app.git(&["config", "user.email", "ada@example.org"]);
    app.paasctl(&["git:remote", "-a", name]);
    app
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What is listed of each release: its number, what it says of itself, and its commit.
fn releases(app: &TestApp<'_>) -> Vec<(u64, String, String)> {
    let list = app.json(&["releases", "-n", "1000"]);
    let of = |release: &serde_json::Value| {
        let said = release["description"].as_str().unwrap().to_owned();
        (release["version"].as_u64().unwrap(), said, release["commit"]["id"].to_string())
    };
    list.as_array().unwrap().iter().map(of).collect()
}

#[test]
fn a_platform_that_is_lost_is_restored_elsewhere_with_every_app() {
    let (kept, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let platform = TestPlatform::start();
    fs::create_dir_all(platform.data.join("certs/default")).unwrap();
    fs::write(platform.data.join("certs/default/privkey.pem"), "a key").unwrap();
    let shop = platform.app("shop");
    shop.greets("one").deploy();
    shop.paasctl(&["config:set", "COLOUR=blue", "EMPTY="]);
    shop.greeting("two").deploy();
    shop.paasctl(&["domains:add", "shop.example.org"]);
    shop.paasctl(&["ps:scale", "web=2"]);
    let busy = platform.app("busy");
    busy.greets("0").deploy();
    busy.paasctl(&["config:set", "COLOUR=red"]);
    let before = releases(&shop);
    let crowd = shop.crowd();
    let done = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1.. {
                busy.greeting(&number.to_string()).deploy();
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let report = backup(&platform, kept.path());
        done.store(true, Ordering::Relaxed);
        report
    });
    crowd.assert_none_failed();
    assert_eq!(report["apps"], serde_json::json!(["busy", "shop"]), "{report}");
    assert_eq!(report["warnings"], serde_json::json!([]), "{report}");
    let token = platform.token.clone();
    drop(platform);

    let file = Path::new(report["file"].as_str().unwrap());
    assert_eq!(names(kept.path()).len(), 1, "something is left beside the backup");
    let data = new.path().join("data");
    let restored = paasd(&["restore"], &[("--from", file), ("--data-dir", &data)]);
    assert!(restored.status.success(), "{}", text(&restored));
    assert!(text(&restored).contains("paasd serve --data-dir"), "{}", text(&restored));
    assert_eq!(fs::read_to_string(data.join("certs/default/privkey.pem")).unwrap(), "a key");
    let platform = TestPlatform::start_in(new.path(), &[]);
    assert_eq!(platform.token, token);
    let (shop, busy) = (known(&platform, "shop"), known(&platform, "busy"));
    for app in [&shop, &busy] {
        wait::until("the app to answer", || (app.get("/").status == 200).then_some(()));
    }
    assert_eq!(shop.get("/").body, "two");
    assert_eq!(
        (shop.get("/env/COLOUR").body, shop.get("/env/EMPTY").body),
        ("blue".to_owned(), String::new())
    );
    assert_eq!(visitor::get(platform.router, "shop.example.org", "/").unwrap().body, "two");
    assert!(busy.get("/").body.parse::<u32>().is_ok());
    assert_eq!(busy.get("/env/COLOUR").body, "red");
    wait::until("both replicas", || (shop.json(&["ps"]).as_array()?.len() == 2).then_some(()));
    assert_eq!(releases(&shop), before);
    let build = shop.json(&["builds"])[0]["id"].as_str().unwrap().to_owned();
    assert!(text(&shop.try_paasctl(&["builds:output", &build])).contains("no longer kept"));

    shop.paasctl(&["rollback", "v1"]);
    assert_eq!((shop.get("/").body, shop.get("/env/COLOUR").body), ("one".to_owned(), "(unset)".to_owned()));
    shop.git(&["pull", "-q", "paas", "main"]);
    assert_eq!(shop.git(&["log", "-1", "--format=%s"]), "Greet with two");
    shop.greeting("three").deploy();
    assert_eq!(shop.get("/").body, "three");
    busy.git(&["pull", "-q", "paas", "main"]);
    busy.greeting("last").deploy();
    assert_eq!(busy.get("/").body, "last");
}

#[test]
fn what_is_no_whole_backup_or_no_empty_place_is_refused_and_nothing_is_left() {
    let (kept, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let platform = TestPlatform::start();
    platform.app("shop").greets("one").deploy();
    let file = kept.path().join("b.tar.zst");
    backup(&platform, &file);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let checked = paasd(&["restore", "--check"], &[("--from", &file)]);
    assert!(checked.status.success() && text(&checked).contains("is whole: 1 app"), "{}", text(&checked));

    let data = new.path().join("data");
    let refused = |from: &Path, data: &Path, why: &str| {
        let done = paasd(&["restore", "--quiet"], &[("--from", from), ("--data-dir", data)]);
        assert!(!done.status.success() && text(&done).contains(why), "{why}: {}", text(&done));
    };
    let whole = fs::read(&file).unwrap();
    let (cut, bent) = (kept.path().join("cut"), kept.path().join("bent"));
    fs::write(&cut, &whole[..whole.len() - 100]).unwrap();
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    fs::write(&bent, other).unwrap();
    refused(&cut, &data, "not whole");
    refused(&bent, &data, "damaged");
    refused(&binary("paasd"), &data, "not a backup of paasd");
    refused(&kept.path().join("nowhere"), &data, "cannot open");
    refused(&file, &platform.data, "is not empty");
    assert_eq!(names(new.path()), Vec::<String>::new());

    let again = paasd(&["backup"], &[("--data-dir", &platform.data), ("--to", &file)]);
    assert!(text(&again).contains("is there already"), "{}", text(&again));
    let strange = paasd(&["backup"], &[("--data-dir", new.path()), ("--to", &kept.path().join("x"))]);
    assert!(text(&strange).contains("is not the data directory of a paasd"), "{}", text(&strange));
    assert_eq!(fs::read(&file).unwrap(), whole);
}

#[test]
fn a_full_disk_leaves_nothing_of_a_backup() {
    let Some(disk) = SmallDisk::mount(40) else { return };
    let platform = TestPlatform::start();
    let app = platform.app("heavy");
    let mut noise = vec![0; 2 << 20];
    for number in 0..10 {
        getrandom::fill(&mut noise).unwrap();
        fs::write(app.dir.join(format!("noise{number}")), &noise).unwrap();
    }
    app.greets("one").deploy();
    let before = names(&disk.path());
    let to = disk.path().join("b.tar.zst");
    let done = paasd(&["backup"], &[("--data-dir", &platform.data), ("--to", &to)]);
    assert!(!done.status.success(), "{}", text(&done));
    assert!(text(&done).contains("there is no room left"), "{}", text(&done));
    assert_eq!(names(&disk.path()), before);
    assert_eq!(names(&platform.data.join("run")).iter().filter(|name| *name == "backup").count(), 0);
    assert_eq!(app.get("/").body, "one");
}

#[test]
fn a_server_makes_one_by_itself_and_the_doctor_says_how_that_went() {
    let kept = tempfile::tempdir().unwrap();
    let place = kept.path().join("backups");
    fs::create_dir(&place).unwrap();
    let mut platform = TestPlatform::start_with(&["--backups", place.to_str().unwrap()]);
    let found = |platform: &TestPlatform, state: &str| {
        let mut doctor = platform.command(&binary("paasctl"), kept.path());
        let output = doctor.args(["doctor", "--json"]).output().unwrap();
        let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut findings = findings.as_array().cloned().unwrap_or_default().into_iter();
        let finding = findings.find(|finding| finding["check"] == "backups" && finding["state"] == state);
        finding.map(|finding| finding.to_string())
    };
    let file =
        wait::until("a backup", || fs::read_dir(&place).unwrap().flatten().next().map(|file| file.path()));
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    wait::until("the doctor to know it", || found(&platform, "ok").filter(|told| told.contains(&name)));
    let mut check = Command::new(binary("paasd"));
    let whole = check.args(["restore", "--check", "--from"]).arg(&place).output().unwrap();
    assert!(whole.status.success() && text(&whole).contains("is whole"), "{}", text(&whole));

    // It is not made twice in a night, and one that cannot be made is told.
    platform.restart(true);
    fs::remove_dir_all(&place).unwrap();
    platform.restart(true);
    wait::until("the doctor to complain", || {
        found(&platform, "fail").filter(|told| told.contains("neither a directory"))
    });
}
