//! Slugs under replicas, for hosts where the platform is root and may mount.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use model::slug::Digest;
use slug::{Delivery, Mounts, mounted, overlay, remove_overlay, try_out, unmount_below};

use crate::world::{World, identity, neighbour};

/// A host with a mounted slug; whatever a failed test leaves mounted goes with it.
struct Stage {
    world: World,
    mounts: Mounts,
    digest: Digest,
    image: PathBuf,
}

impl Stage {
    /// Returns nothing where the platform may not mount, which says why.
    fn set() -> Option<Self> {
        let world = World::new();
        let (delivery, why) = try_out(&world.host, &world.path(""), identity()).decide();
        if delivery == Delivery::Unpack {
            assert!(why.contains("only root") || why.contains("a trial mount failed"), "{why}");
            return None;
        }
        let digest = world.pack(&world.tree("tree")).digest;
        let mounts = Mounts::new(&world.path("slugs")).unwrap();
        let image = world.path("tree.squashfs");
        Some(Self { world, mounts, digest, image })
    }

    fn mount(&self) -> PathBuf {
        self.mounts.mount(&self.digest, &self.image, identity()).unwrap()
    }

    fn replica(&self, name: &str) -> PathBuf {
        overlay(&self.world.path(name), &self.mount(), identity()).unwrap()
    }

    fn points(&self) -> usize {
        mounted(&self.world.path("")).unwrap().len()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        unmount_below(&self.world.path("")).unwrap();
    }
}

#[expect(clippy::print_stdout, reason = "a figure to look at; a limit would depend on the machine")]
fn report(what: &str, since: Instant) {
    println!("{what} within {:?}", since.elapsed());
}

fn loop_devices(image: &Path) -> usize {
    let output = Command::new("losetup").arg("-j").arg(image).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().count()
}

#[test]
fn a_slug_is_mounted_once_and_belongs_to_each_apps_user() {
    let Some(stage) = Stage::set() else { return };
    let start = Instant::now();
    let own = stage.mount();
    report("a slug is mounted", start);
    let file = fs::metadata(own.join("bin/serve")).unwrap();
    assert_eq!((file.uid(), file.gid()), (identity().uid(), identity().gid()));

    let other = stage.mounts.mount(&stage.digest, &stage.image, neighbour()).unwrap();
    assert_eq!(fs::metadata(other.join("bin/serve")).unwrap().uid(), neighbour().uid());
    assert_eq!(stage.mount(), own);
    assert_eq!(stage.points(), 3, "one image and two views");
    assert_eq!(loop_devices(&stage.image), 1);
}

#[test]
fn an_app_writes_everywhere_in_its_layer_and_nowhere_in_the_slug() {
    let Some(stage) = Stage::set() else { return };
    let start = Instant::now();
    let app = stage.replica("web.1");
    report("a replica has its files", start);

    let script = "./serve; echo more >> Procfile && rm bin/serve && touch bin/new new && id -u > uid; ls";
    let said = stage.world.run_in(&app, identity(), script);
    assert_eq!(said, "served\nProcfile\nabsolute\nbin\nnew\nserve\nuid\n");
    assert_eq!(fs::read_to_string(app.join("Procfile")).unwrap(), "web: bin/serve\nmore\n");
    assert_eq!(fs::metadata(app.join("new")).unwrap().uid(), identity().uid());

    let other = stage.replica("web.2");
    assert_eq!(fs::read_to_string(other.join("Procfile")).unwrap(), "web: bin/serve\n");
    assert!(other.join("bin/serve").exists() && !other.join("new").exists());
    let refused = fs::write(stage.mount().join("new"), "x").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
}

#[test]
fn a_neighbour_writes_nothing_in_an_apps_layer() {
    let Some(stage) = Stage::set() else { return };
    let app = stage.replica("web.1");
    let said = stage.world.run_in(&app, neighbour(), "touch new; echo x >> Procfile; rm -f bin/serve");
    assert_eq!(said.matches("Permission denied").count(), 3, "{said}");
}

#[test]
fn mounting_again_changes_nothing_and_a_new_layer_is_fresh() {
    let Some(stage) = Stage::set() else { return };
    let app = stage.replica("web.1");
    fs::write(app.join("written"), "x").unwrap();
    assert_eq!(stage.replica("web.1"), app);
    assert!(app.join("written").exists());

    // As after a crash of the whole machine: files are there, mounts are not.
    unmount_below(&app).unwrap();
    assert!(stage.world.path("web.1/upper/written").exists());
    assert!(!stage.replica("web.1").join("written").exists());
}

#[test]
fn unmounting_leaves_nothing_and_may_be_repeated() {
    let Some(stage) = Stage::set() else { return };
    stage.replica("web.1");
    for _ in 0..2 {
        remove_overlay(&stage.world.path("web.1")).unwrap();
        stage.mounts.unmount(&stage.digest).unwrap();
    }
    assert_eq!(stage.points(), 0);
    assert_eq!(loop_devices(&stage.image), 0);
    assert_eq!(stage.mounts.all().unwrap(), []);
    assert_eq!(fs::read_dir(stage.world.path("web.1")).unwrap().count(), 0);
}

#[test]
fn what_a_crash_left_is_found_again_or_cleared_away() {
    let Some(stage) = Stage::set() else { return };
    let app = stage.replica("web.1");

    let after = Mounts::new(&stage.world.path("slugs")).unwrap();
    assert_eq!(after.all().unwrap(), std::slice::from_ref(&stage.digest));
    after.mount(&stage.digest, &stage.image, identity()).unwrap();
    assert_eq!(stage.points(), 3, "nothing is mounted twice");
    let kinds: Vec<_> = mounted(&stage.world.path("web.1")).unwrap();
    assert_eq!((kinds[0].point.as_path(), kinds[0].kind.as_str()), (app.as_path(), "overlay"));

    unmount_below(&stage.world.path("")).unwrap();
    after.unmount(&stage.digest).unwrap();
    assert_eq!(stage.points(), 0);
    assert_eq!(after.all().unwrap(), []);
}

#[test]
fn a_layer_in_use_is_taken_out_of_sight() {
    let Some(stage) = Stage::set() else { return };
    let app = stage.replica("web.1");
    let open = fs::File::open(app.join("Procfile")).unwrap();
    remove_overlay(&stage.world.path("web.1")).unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), "web: bin/serve\n");
    assert!(!app.exists());
}

#[test]
fn paths_with_the_signs_of_options_are_taken_as_they_are() {
    let Some(stage) = Stage::set() else { return };
    let app = stage.replica("a,b:c\\d e=f");
    assert!(app.join("Procfile").exists());
    remove_overlay(&stage.world.path("a,b:c\\d e=f")).unwrap();
}

#[test]
fn an_image_that_is_none_is_refused_and_leaves_no_mount() {
    let Some(stage) = Stage::set() else { return };
    let broken = stage.world.path("broken");
    fs::write(&broken, [7; 10_000]).unwrap();
    let error = stage.mounts.mount(&stage.digest, &broken, identity()).unwrap_err().to_string();
    assert!(error.starts_with("mount failed: "), "{error}");
    assert_eq!(stage.points(), 0);
    stage.mount();
}
