//! A machine that nobody logs in to: backed up into its bucket, and made what the bucket asks for.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::Timestamp;
use model::slug::Digest;
use model::upkeep::{COUNTS_FOR, ORDER_KEY, OUTCOME_KEY, Order, Outcome};

use crate::app::text;
use crate::bucket::{know, options};
use crate::moto::Bucket;
use crate::platform::{TestPlatform, binary};
use crate::wait;

/// A platform whose slugs and backups are in a bucket, and the program that its machine starts.
struct Machine {
    bucket: Bucket,
    platform: TestPlatform,
    program: PathBuf,
    dir: tempfile::TempDir,
}

impl Machine {
    fn start() -> Option<Self> {
        let bucket = Bucket::start()?;
        let options = options(&bucket);
        let platform = TestPlatform::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("paasd");
        fs::copy(binary("paasd"), &program).unwrap();
        Some(Self { bucket, platform, program, dir })
    }

    fn paasd(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--blobs", "s3://blobs/platform", "--data-dir"]);
        know(&mut command, &self.bucket);
        command.arg(&self.platform.data).output().unwrap()
    }

    #[track_caller]
    fn back_up(&self, keep: &str) -> String {
        let to = "s3://blobs/platform/backups";
        let done = self.paasd(&["backup", "--to", to, "--keep", keep, "--json", "--quiet"]);
        assert!(done.status.success(), "{}", text(&done));
        let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        told["file"].as_str().unwrap().strip_prefix("s3://blobs/platform/backups/").unwrap().to_owned()
    }

    fn order(&self, id: &str, program: Option<&Path>, restore: Option<&str>) {
        let program = program.map(|program| slug::digest_of(program).unwrap());
        self.order_until(Timestamp::now() + COUNTS_FOR, id, (program, restore));
    }

    fn order_until(&self, until: Timestamp, id: &str, (program, restore): (Option<Digest>, Option<&str>)) {
        let restore = restore.map(str::to_owned);
        let order = Order { id: id.into(), program, restore, back_up: true, until };
        self.bucket.put(&format!("platform/{ORDER_KEY}"), &serde_json::to_vec(&order).unwrap());
    }

    fn keep_up(&self) -> Output {
        self.paasd(&["upkeep", "--program", self.program.to_str().unwrap()])
    }

    /// Has the machine do what is asked; returns what it told.
    #[track_caller]
    fn becomes(&self, id: &str) -> Outcome {
        let done = self.keep_up();
        assert!(done.status.success(), "{}", text(&done));
        let told = self.bucket.get(&format!("platform/{OUTCOME_KEY}"));
        let told = told.unwrap_or_else(|| panic!("nothing was told: {}", text(&done)));
        let outcome: Outcome = serde_json::from_str(&told).unwrap();
        assert_eq!(outcome.order, id);
        outcome
    }

    /// Starts the server until it says that it serves; returns what was told by then.
    fn serves(&mut self) -> Outcome {
        self.platform.start_again();
        let told = wait::until("the server to say that it serves", || {
            let told = self.bucket.get(&format!("platform/{OUTCOME_KEY}")).unwrap();
            Some(serde_json::from_str::<Outcome>(&told).unwrap()).filter(|told| told.serves_since.is_some())
        });
        self.platform.stop();
        told
    }

    fn greeting(&mut self) -> String {
        self.platform.start_again();
        let app = self.platform.known_app("cloudy");
        let body = wait::until("the app to answer", || {
            let answer = app.get("/");
            (answer.status == 200).then_some(answer.body)
        });
        self.platform.stop();
        body
    }

    /// Makes a program that is another by its last bytes, and brings it into the bucket.
    fn next_program(&self) -> PathBuf {
        let path = self.dir.path().join("next");
        fs::copy(&self.program, &path).unwrap();
        fs::File::options().append(true).open(&path).unwrap().write_all(b"another").unwrap();
        let digest = slug::digest_of(&path).unwrap();
        self.bucket.put(&format!("platform/bake/{digest}"), &fs::read(&path).unwrap());
        path
    }
}

#[test]
fn another_paasd_and_an_earlier_backup_take_the_place_of_what_is_there_once() {
    let Some(mut machine) = Machine::start() else { return };
    let app = machine.platform.app("cloudy");
    app.greets("one").deploy();
    let first = machine.back_up("3");
    app.greeting("two").deploy();
    machine.platform.stop();
    let nothing = machine.keep_up();
    assert!(nothing.status.success(), "{}", text(&nothing));

    let next = machine.next_program();
    machine.order("1", Some(&next), Some(&first));
    let outcome = machine.becomes("1");
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.program, slug::digest_of(&next).unwrap());
    assert_eq!(slug::digest_of(&machine.program).unwrap(), outcome.program);
    assert_eq!(outcome.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(outcome.serves_since, None, "no server has started yet");
    let told = machine.serves();
    assert!(told.serves_since.is_some_and(|since| since > outcome.at), "{told:?}");
    assert_eq!(Outcome { serves_since: None, ..told }, outcome);
    assert_eq!(machine.greeting(), "one");

    // What was asked for and given up long ago surprises nobody.
    machine.order_until(Timestamp::UNIX_EPOCH, "0", (None, Some(&first)));
    assert_eq!(machine.becomes("1").at, outcome.at);

    // What was there can be had back, and an order that was carried out is not carried out again.
    let second = outcome.backup.clone().unwrap();
    machine.order("2", None, second.rsplit('/').next());
    let again = machine.becomes("2");
    assert_eq!((again.failure, again.program), (None, outcome.program));
    assert_eq!(machine.becomes("2").at, again.at);
    assert_eq!(machine.greeting(), "two");

    // Cut off when it was done, and nobody had noted it; and when what was there was out of the way.
    let beside = |what: &str| machine.platform.data.with_added_extension(what);
    fs::remove_file(beside("upkeep.json")).unwrap();
    assert_eq!(machine.becomes("2").failure, None);
    machine.order("3", None, Some(&first));
    fs::rename(&machine.platform.data, beside("before-3")).unwrap();
    assert_eq!(machine.becomes("3").failure, None);
    assert!(beside("before-3").exists() && !beside("before-2").exists());
    assert_eq!(machine.greeting(), "one");

    let third = machine.back_up("2");
    let kept = machine.paasd(&["restore", "--check", "--from", "s3://blobs/platform/backups"]);
    assert!(text(&kept).contains(&third), "the newest is meant: {}", text(&kept));
    let gone =
        machine.paasd(&["restore", "--check", "--from", &format!("s3://blobs/platform/backups/{first}")]);
    assert!(!gone.status.success() && text(&gone).contains("cannot read s3://blobs"), "{}", text(&gone));
}

#[test]
fn what_cannot_be_done_leaves_the_machine_as_it_is_and_says_why() {
    let Some(mut machine) = Machine::start() else { return };
    let app = machine.platform.app("cloudy");
    app.greets("one").deploy();
    machine.platform.stop();
    let before = slug::digest_of(&machine.program).unwrap();

    // One that nobody brought, one that does not run, one that is not what it should be.
    let script = machine.dir.path().join("script");
    fs::write(&script, "#!/bin/sh\necho paas\n").unwrap();
    machine.order("1", Some(&script), None);
    let outcome = machine.becomes("1");
    assert!(outcome.backup.is_some() && outcome.program == before);
    let failure = outcome.failure.unwrap();
    assert!(failure.contains("cannot take its place") && failure.contains("cannot read s3://"), "{failure}");

    let key = format!("platform/bake/{}", slug::digest_of(&script).unwrap());
    machine.bucket.put(&key, &fs::read(&script).unwrap());
    machine.order("2", Some(&script), None);
    let failure = machine.becomes("2").failure.unwrap();
    assert!(failure.contains("it says `paas` when"), "{failure}");
    let older = machine.dir.path().join("older");
    fs::write(
        &older,
        "#!/bin/sh\n[ $1 = --version ] && echo paasd 0.0.1 && exit\necho there is no $1 >&2; exit 2\n",
    )
    .unwrap();
    let older_key = format!("platform/bake/{}", slug::digest_of(&older).unwrap());
    machine.bucket.put(&older_key, &fs::read(&older).unwrap());
    machine.order("2b", Some(&older), None);
    let failure = machine.becomes("2b").failure.unwrap();
    assert!(failure.contains("there is no upkeep"), "{failure}");
    machine.bucket.put(&key, b"something else");
    machine.order("3", Some(&script), None);
    let failure = machine.becomes("3").failure.unwrap();
    assert!(failure.contains("what was fetched is "), "{failure}");

    machine.order("4", None, Some("paas-2026-01-01T000000Z.tar.zst"));
    let failure = machine.becomes("4").failure.unwrap();
    assert!(failure.contains("cannot be restored"), "{failure}");
    assert_eq!(slug::digest_of(&machine.program).unwrap(), before);
    assert_eq!(machine.greeting(), "one");

    // A machine without data must not serve with none.
    let aside = machine.dir.path().join("aside");
    fs::rename(&machine.platform.data, &aside).unwrap();
    for _ in 0..2 {
        let refused = machine.keep_up();
        assert!(
            !refused.status.success() && text(&refused).contains("cannot be restored"),
            "{}",
            text(&refused)
        );
    }
    machine.bucket.put(&format!("platform/{ORDER_KEY}"), b"{");
    let refused = machine.keep_up();
    assert!(!refused.status.success() && text(&refused).contains("makes no sense"), "{}", text(&refused));
    fs::remove_dir_all(&machine.platform.data).ok();
    fs::rename(&aside, &machine.platform.data).unwrap();
    assert!(machine.keep_up().status.success(), "it serves what it has");
}
