//! What becomes a slug of the files of a container image, and that it is always the same.

use std::{fs, path::Path, process::Command};

use slug::{PackLimits, Packed, Rootfs, SlugError, Workshop, pack_rootfs};
use tar::{Builder, EntryType, Header};

use crate::world::{World, identity};

/// An entry: its kind, path, mode, and its content or where it leads.
type Entry<'a> = (EntryType, &'a str, u32, &'a str);

const FILES: [Entry<'_>; 10] = [
    (EntryType::Directory, "./bin", 0o700, ""),
    (EntryType::Regular, "./bin/sh", 0o4711, "a shell"),
    (EntryType::Link, "./bin/ash", 0o755, "./bin/sh"),
    (EntryType::Symlink, "./link", 0o777, "/etc/passwd"),
    (EntryType::Directory, "./etc", 0o755, ""),
    (EntryType::Regular, "./etc/hosts", 0o644, "127.0.0.1 other"),
    (EntryType::Regular, "./etc/shadow", 0o600, "secrets"),
    (EntryType::Char, "./dev/null", 0o666, ""),
    (EntryType::Fifo, "./run/pipe", 0o666, ""),
    (EntryType::Regular, "./.dockerenv", 0o644, ""),
];

/// Writes an archive as the daemon does; directories are as old as the container that it is of.
fn archive(path: &Path, entries: &[Entry<'_>], container_made_at: u64) {
    let mut archive = Builder::new(fs::File::create(path).unwrap());
    for (kind, name, mode, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(77);
        header.set_gid(77);
        header.set_mtime(if *kind == EntryType::Regular { 1_000_000_000 } else { container_made_at });
        header.set_size(if *kind == EntryType::Regular { content.len() as u64 } else { 0 });
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if matches!(kind, EntryType::Link | EntryType::Symlink) {
            header.set_link_name_literal(content).unwrap();
        }
        header.set_cksum();
        let content = if *kind == EntryType::Regular { content.as_bytes() } else { b"" };
        archive.append(&header, content).unwrap();
    }
    archive.finish().unwrap();
}

fn pack(world: &World, name: &str, about: &str, limits: PackLimits) -> Result<Packed, SlugError> {
    let workshop = Workshop { host: &world.host, identity: identity(), cgroup: None, limits };
    let files = world.path(&format!("{name}.tar"));
    let rootfs = Rootfs { archive: &files, about: about.as_bytes(), made_at: 1_700_000_000 };
    pack_rootfs(&rootfs, &world.path(&format!("{name}.squashfs")), &workshop)
}

#[test]
fn the_same_image_is_the_same_slug_whenever_its_container_was_made() {
    let world = World::new();
    let packed = |name: &str, about: &str, made_at: u64| {
        archive(&world.path(&format!("{name}.tar")), &FILES, made_at);
        pack(&world, name, about, PackLimits::default()).unwrap()
    };
    let first = packed("first", "{}", 1_700_000_001);
    assert_eq!(first.digest, packed("second", "{}", 1_700_000_099).digest);
    assert_ne!(first.digest, packed("third", "{\"cmd\":[]}", 1_700_000_001).digest);
    assert_eq!(first.left_out.len(), 1, "{:?}", first.left_out);
    assert!(!world.path("first.tar").exists(), "the archive is as large as the image");
}

#[test]
fn files_are_the_apps_with_plain_rights_and_what_is_of_the_container_is_left_out() {
    let world = World::new();
    archive(&world.path("image.tar"), &FILES, 1_700_000_001);
    pack(&world, "image", "{}", PackLimits::default()).unwrap();
    let listed = Command::new("unsquashfs")
        .arg("-lln")
        .arg(world.path("image.squashfs"))
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<String> =
        listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "drwxr-xr-x 0/0 36 1980-01-01 00:00 squashfs-root/bin",
        "-rwxr-xr-x 0/0 7 2001-09-09 01:46 squashfs-root/bin/ash",
        "-rwxr-xr-x 0/0 7 2001-09-09 01:46 squashfs-root/bin/sh",
        "-rw-r--r-- 0/0 7 2001-09-09 01:46 squashfs-root/etc/shadow",
        "lrwxrwxrwx 0/0 11 1980-01-01 00:00 squashfs-root/link -> /etc/passwd",
    ] {
        assert!(lines.iter().any(|line| line == expected), "`{expected}` is not in\n{listed}");
    }
    for absent in ["hosts", "dev", ".dockerenv", "pipe"] {
        assert!(!lines.iter().any(|line| line.ends_with(&format!("/{absent}"))), "{absent} is in\n{listed}");
    }
}

#[test]
fn what_leads_out_is_refused_and_what_is_too_large_is_named() {
    let world = World::new();
    archive(&world.path("out.tar"), &[(EntryType::Regular, "a/../../b", 0o644, "x")], 0);
    let refused = pack(&world, "out", "{}", PackLimits::default()).unwrap_err();
    assert!(refused.to_string().contains("`a/../../b` leads out"), "{refused}");
    let large = "x".repeat(3000);
    archive(&world.path("large.tar"), &[(EntryType::Regular, "opt/data/file", 0o644, &large)], 0);
    let limits = PackLimits { tree_bytes: 2000, ..PackLimits::default() };
    let refused = pack(&world, "large", "{}", limits).unwrap_err();
    assert!(refused.to_string().contains("opt/data"), "{refused}");
    archive(&world.path("many.tar"), &FILES, 0);
    let refused = pack(&world, "many", "{}", PackLimits { entries: 3, ..PackLimits::default() }).unwrap_err();
    assert!(matches!(refused, SlugError::TooMany(3)), "{refused}");
}
