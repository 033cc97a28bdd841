//! What a slug holds, and that it is always the same.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use slug::{PackLimits, SlugError, Workshop, digest_of, pack};

use crate::world::{World, identity};

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_same_tree_gives_the_same_digest_wherever_and_whenever_it_was_made() {
    let world = World::new();
    let first = world.tree("first");
    fs::write(first.join("copy"), "web: bin/serve\n").unwrap();

    // Made in another order, with other modes, times, links and owners.
    let second = world.path("elsewhere/second");
    fs::create_dir_all(second.join("bin")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", second.join("absolute")).unwrap();
    std::os::unix::fs::symlink("bin/serve", second.join("serve")).unwrap();
    fs::write(second.join("bin/serve"), "#!/bin/sh\necho served\n").unwrap();
    fs::write(second.join("copy"), "web: bin/serve\n").unwrap();
    fs::hard_link(second.join("copy"), second.join("Procfile")).unwrap();
    set_mode(&second.join("bin/serve"), 0o700);
    set_mode(&second.join("copy"), 0o600);
    set_mode(&second.join("bin"), 0o777);
    let touched = Command::new("touch").args(["-d", "2001-01-01"]).arg(second.join("copy")).status().unwrap();
    assert!(touched.success());

    let packed = world.pack(&first);
    assert_eq!(packed.digest, world.pack(&second).digest);
    assert_eq!(packed.digest, world.pack(&first).digest);
    assert_eq!(packed.digest, digest_of(&world.path("first.squashfs")).unwrap());
    assert_eq!(packed.bytes, fs::metadata(world.path("first.squashfs")).unwrap().len());

    set_mode(&second.join("copy"), 0o744);
    assert_ne!(packed.digest, world.pack(&second).digest, "a file became a program");
}

#[test]
fn only_whether_a_file_is_a_program_is_kept_of_its_mode() {
    let world = World::new();
    let tree = world.tree("tree");
    set_mode(&tree.join("bin/serve"), 0o6711);
    set_mode(&tree.join("bin"), 0o1777);
    fs::write(tree.join("unreadable"), "x").unwrap();
    set_mode(&tree.join("unreadable"), 0);
    world.pack(&tree);

    let listed = Command::new("unsquashfs").arg("-lln").arg(world.path("tree.squashfs")).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let modes: Vec<_> = text
        .lines()
        .map(|line| (&line[..10], line.split("squashfs-root").nth(1).unwrap()))
        .filter(|(mode, _)| !mode.starts_with('l'))
        .collect();
    let expected = [
        ("drwxr-xr-x", ""),
        ("-rw-r--r--", "/Procfile"),
        ("drwxr-xr-x", "/bin"),
        ("-rwxr-xr-x", "/bin/serve"),
        ("-rw-r--r--", "/unreadable"),
    ];
    assert_eq!(modes, expected);
    assert!(text.contains("absolute -> /etc/passwd"), "{text}");
    assert!(text.lines().all(|line| line.contains("0/0 ") && line.contains("1980-01-01")), "{text}");
}

#[test]
fn a_pipe_is_left_out_with_a_line() {
    let world = World::new();
    let tree = world.tree("tree");
    let without = world.pack(&tree).digest;
    assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
    let packed = world.pack(&tree);
    assert_eq!(packed.left_out, ["pipe is left out of the slug: it is a device, a pipe or a socket"]);
    assert_eq!(packed.digest, without);
}

#[test]
fn a_slug_that_is_too_large_is_refused_with_its_largest_directories() {
    let world = World::new();
    let tree = world.tree("tree");
    fs::create_dir_all(tree.join("data/raw")).unwrap();
    let noise: Vec<u8> = (0..8_000_000u64)
        .scan(1u64, |state, _| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some((*state >> 56) as u8)
        })
        .collect();
    fs::write(tree.join("data/raw/noise"), noise).unwrap();

    let limits = PackLimits { slug_bytes: 1 << 20, ..PackLimits::default() };
    let error = world.pack_within(&tree, limits).unwrap_err().to_string();
    let expected = "the slug is larger than the limit of 1 MB; before compression 8 MB in data/raw, 1 MB in ";
    assert!(error.starts_with(expected), "{error}");

    let limits = PackLimits { slug_bytes: 7_900_000, ..PackLimits::default() };
    let error = world.pack_within(&tree, limits).unwrap_err().to_string();
    assert!(error.starts_with("the slug is 8 MB, the limit is 8 MB; "), "{error}");

    let limits = PackLimits { tree_bytes: 1 << 20, ..PackLimits::default() };
    assert!(matches!(world.pack_within(&tree, limits), Err(SlugError::TooLarge { bytes: Some(_), .. })));
    let left: Vec<_> =
        fs::read_dir(world.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "only the tree and /etc are left: {left:?}");
}

#[test]
fn packing_that_takes_too_long_is_stopped() {
    let world = World::new();
    let tree = world.tree("tree");
    let limits = PackLimits { within: Duration::from_millis(1), ..PackLimits::default() };
    let error = world.pack_within(&tree, limits).unwrap_err();
    assert!(matches!(error, SlugError::TooSlow { .. }), "{error}");
}

#[test]
fn a_link_in_place_of_the_tree_is_refused() {
    let world = World::new();
    let tree = world.path("tree");
    std::os::unix::fs::symlink("/etc/ssl", &tree).unwrap();
    let workshop =
        Workshop { host: &world.host, identity: identity(), cgroup: None, limits: PackLimits::default() };
    let error = pack(&tree, &world.path("image"), &workshop).unwrap_err().to_string();
    assert!(error.ends_with("is not a directory"), "{error}");
}
