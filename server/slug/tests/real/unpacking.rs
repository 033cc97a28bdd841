//! Slugs as plain files, and images that want more than that.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use slug::{SlugError, UnpackLimits, unpack};

use crate::world::{World, identity, mksquashfs};

fn unpack_to(world: &World, image: &Path, directory: &Path) -> Result<(), SlugError> {
    unpack(image, directory, &world.host, identity(), &UnpackLimits::default())
}

#[test]
fn an_unpacked_slug_is_the_tree_and_belongs_to_the_app() {
    let world = World::new();
    world.pack(&world.tree("tree"));
    let app = world.path("app");
    unpack_to(&world, &world.path("tree.squashfs"), &app).unwrap();

    assert_eq!(fs::read_link(app.join("absolute")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::metadata(app.join("bin/serve")).unwrap().permissions().mode() & 0o7777, 0o755);
    let owner = if world.is_root() { identity().uid() } else { rustix::process::geteuid().as_raw() };
    for name in ["", "Procfile", "absolute", "bin/serve"] {
        assert_eq!(fs::symlink_metadata(app.join(name)).unwrap().uid(), owner, "{name}");
    }
    assert_eq!(world.run_in(&app, identity(), "./serve; touch bin/new && ls bin"), "served\nnew\nserve\n");
}

#[test]
fn nothing_is_unpacked_over_what_is_there() {
    let world = World::new();
    world.pack(&world.tree("tree"));
    let app = world.path("app");
    fs::create_dir(&app).unwrap();
    std::os::unix::fs::symlink("/etc", app.join("bin")).unwrap();
    let error = unpack_to(&world, &world.path("tree.squashfs"), &app).unwrap_err().to_string();
    assert!(error.ends_with("is not empty"), "{error}");
}

#[test]
fn a_device_or_a_program_with_the_rights_of_its_owner_is_refused() {
    let world = World::new();
    let tree = world.tree("tree");
    let image = world.path("hostile");
    for (definition, reason) in [
        ("null c 666 0 0 1 3", "neither file, directory nor link"),
        ("pipe i 666 0 0 f", "neither file, directory nor link"),
        ("Procfile m 4755 0 0", "special permissions"),
    ] {
        mksquashfs(&tree, &image, &["-p", definition]);
        let error = unpack_to(&world, &image, &world.path("app")).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(fs::read_dir(world.path("app")).unwrap().count(), 0);
    }
}

/// An image in which `AAAA` is both a link out and a directory of the same name with a file in it.
/// No tool makes one, so another name of the same length is written over.
fn link_and_directory_of_one_name(world: &World, outside: &Path) -> std::path::PathBuf {
    let tree = world.path("hostile-tree");
    fs::create_dir_all(tree.join("BBBB")).unwrap();
    fs::write(tree.join("BBBB/owned"), "owned").unwrap();
    std::os::unix::fs::symlink(outside, tree.join("AAAA")).unwrap();
    let image = world.path("hostile-image");
    mksquashfs(&tree, &image, &["-noI", "-noD", "-noF"]);
    let mut bytes = fs::read(&image).unwrap();
    let at = bytes.windows(4).rposition(|four| four == b"BBBB").unwrap();
    bytes[at..at + 4].copy_from_slice(b"AAAA");
    fs::write(&image, bytes).unwrap();
    image
}

#[test]
fn a_directory_hidden_behind_a_link_writes_nothing_outside() {
    let world = World::new();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o777)).unwrap();
    let image = link_and_directory_of_one_name(&world, &outside);
    let _ = unpack_to(&world, &image, &world.path("app"));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_name_that_climbs_out_is_refused() {
    let world = World::new();
    let tree = world.path("climbing-tree");
    fs::create_dir_all(tree.join("BB")).unwrap();
    fs::write(tree.join("BB/owned"), "owned").unwrap();
    let image = world.path("climbing-image");
    mksquashfs(&tree, &image, &["-noI", "-noD", "-noF"]);
    let mut bytes = fs::read(&image).unwrap();
    let at = bytes.windows(2).rposition(|two| two == b"BB").unwrap();
    bytes[at..at + 2].copy_from_slice(b"..");
    fs::write(&image, bytes).unwrap();

    assert!(unpack_to(&world, &image, &world.path("deep/app")).is_err());
    assert!(!world.path("deep/owned").exists());
    assert_eq!(fs::read_dir(world.path("deep/app")).unwrap().count(), 0);
}

#[test]
fn an_image_that_unpacks_to_too_much_is_refused_before_it_is_written() {
    let world = World::new();
    let tree = world.tree("tree");
    fs::File::create(tree.join("bomb")).unwrap().set_len(200 << 20).unwrap();
    let image = world.path("bomb");
    mksquashfs(&tree, &image, &[]);
    assert!(fs::metadata(&image).unwrap().len() < 1 << 20);
    let limits = UnpackLimits { bytes: 100 << 20, entries: 100, within: Duration::from_secs(30) };
    let refused = unpack(&image, &world.path("app"), &world.host, identity(), &limits);
    assert!(matches!(refused, Err(SlugError::TooLarge { .. })));
    let limits = UnpackLimits { bytes: 1 << 30, entries: 3, within: Duration::from_secs(30) };
    let refused = unpack(&image, &world.path("app"), &world.host, identity(), &limits);
    assert!(matches!(refused, Err(SlugError::TooMany(3))));
    assert_eq!(fs::read_dir(world.path("app")).unwrap().count(), 0);
}

#[test]
fn garbage_is_refused() {
    let world = World::new();
    fs::write(world.path("garbage"), [3; 5000]).unwrap();
    assert!(unpack_to(&world, &world.path("garbage"), &world.path("app")).is_err());
}
