//! A small disk: however often is deployed to it, it never fills, and what is within reach can be gone back to.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::TestApp;
use crate::platform::TestPlatform;
use crate::wait;

/// A file system of a fixed size; unmounted when it is dropped. Needs root.
pub(crate) struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    pub(crate) fn mount(megabytes: u64) -> Option<Self> {
        // In memory where that can be had: what is tested is space.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (image, point) = (dir.path().join("image"), dir.path().join("disk"));
        std::fs::create_dir(&point).unwrap();
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let done = |command: &mut Command| command.status().is_ok_and(|status| status.success());
        // Enough inodes for what is kept in reserve of them; no blocks that only root may use.
        let made =
            done(Command::new("mke2fs").args(["-q", "-t", "ext4", "-N", "120000", "-m", "0"]).arg(&image));
        let mounted = made && done(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&point));
        mounted.then_some(Self { dir })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// An app whose slug is two megabytes that no compression makes smaller, and whose pushes are small.
fn heavy<'a>(platform: &'a TestPlatform, name: &str) -> TestApp<'a> {
    let app = platform.app(name);
    let mut noise = vec![0; 2 << 20];
    getrandom::fill(&mut noise).unwrap();
    std::fs::write(app.dir.join("noise"), noise).unwrap();
    app
}

fn count(dir: &Path) -> usize {
    std::fs::read_dir(dir).unwrap().count()
}

/// Deploys so often that most of it is out of reach. Returns the fewest bytes that were free meanwhile.
fn deploy_often(app: &TestApp<'_>, disk: &SmallDisk) -> u64 {
    app.greets("1").deploy();
    // Without replicas a rollout takes no time.
    app.paasctl(&["ps:scale", "web=0"]);
    let free = (2..=DEPLOYS).map(|number| {
        app.greeting(&number.to_string()).deploy();
        disk.free()
    });
    free.min().unwrap()
}

const DEPLOYS: usize = 100;

#[test]
fn two_hundred_deploys_never_fill_a_small_disk_and_all_that_is_within_reach_rolls_back() {
    let Some(disk) = SmallDisk::mount(300) else { return };
    let platform = TestPlatform::start_in(&disk.path(), &[]);
    let apps = [heavy(&platform, "often"), heavy(&platform, "again")];
    std::thread::scope(|scope| {
        let threads: Vec<_> = apps.iter().map(|app| scope.spawn(|| deploy_often(app, &disk))).collect();
        for thread in threads {
            let least = thread.join().unwrap();
            assert!(least > 100_000_000, "only {least} bytes were free at some time");
        }
    });
    let (slugs, builds) = (platform.data.join("blobs/slugs"), platform.data.join("builds"));
    wait::until("what is out of reach to be collected", || (count(&slugs) == 2 * 20).then_some(()));
    wait::until("the output of old builds to be collected", || (count(&builds) == 2 * 50).then_some(()));
    assert!(platform.server_log().contains("collected "), "nobody was told");

    let app = &apps[0];
    let refused = app.try_paasctl(&["rollback", "v3"]);
    let text = crate::app::text(&refused);
    assert!(!refused.status.success() && text.contains("older than the last 20 slugs of often"), "{text}");
    let builds = app.json(&["builds", "-n", "1000"]);
    let oldest = builds.as_array().unwrap().iter().filter_map(|build| build["id"].as_str()).min().unwrap();
    let refused = crate::app::text(&app.try_paasctl(&["builds:output", oldest]));
    assert!(refused.contains("no longer kept"), "{refused}");

    app.paasctl(&["ps:scale", "web=1"]);
    // Each rollback is a release too and moves what is within reach on: from the oldest to the newest.
    for number in (DEPLOYS - 19..=DEPLOYS).step_by(3) {
        app.paasctl(&["rollback", &format!("v{number}")]);
        assert_eq!(app.get("/").body, number.to_string());
    }
}

#[test]
fn a_push_that_would_fill_the_disk_is_ended_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount(200) else { return };
    let platform = TestPlatform::start_in(&disk.path(), &[]);
    let app = platform.app("much");
    app.greets("one").deploy();
    let before = disk.free();
    let mut noise = vec![0; 8 << 20];
    for number in 0..20 {
        getrandom::fill(&mut noise).unwrap();
        std::fs::write(app.dir.join(format!("noise{number}")), &noise).unwrap();
    }
    let refused = app.commit("much").push();
    assert!(
        refused.text.contains("Nothing was kept of this push: the server's disk has"),
        "{}",
        refused.text
    );
    assert!(refused.text.contains("the server's disk is nearly full"), "{}", refused.text);
    wait::until("what came to be removed", || (disk.free() > before - (5 << 20)).then_some(()));
    app.git(&["reset", "-q", "--hard", "HEAD~1"]);
    app.greeting("two").deploy();
    assert_eq!(app.get("/").body, "two");
}
