//! A slug of 200 MB in 5,000 files, from its tree to a replica's /app, beside a tar with zstd that is unpacked.
//! Needs root, as mounting does. Prints medians and ratios; asserts nothing.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints what it measured")]

use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sandbox::{HostFacts, Identity};
use slug::{Mounts, PackLimits, SlugStore, Workshop, overlay, pack, unmount_below};

const ROUNDS: usize = 5;
const FILES: u64 = 5_000;
const FILE_BYTES: usize = 40_000;

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let identity = Identity::new(200_777, 200_777).unwrap();
    let tree = dir.path().join("tree");
    plant(&tree, identity);
    let host = HostFacts::detect(&dir.path().join("etc")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let mut samples: [Vec<Duration>; 5] = Default::default();
    for round in 0..ROUNDS {
        let at = dir.path().join(round.to_string());
        std::fs::create_dir_all(at.join("unpacked")).unwrap();
        let image = at.join("image");
        let workshop = Workshop { host: &host, identity, cgroup: None, limits: PackLimits::default() };
        let mut packed = None;
        samples[0].push(timed(|| packed = Some(pack(&tree, &image, &workshop).unwrap())));
        let packed = packed.unwrap();
        let store = SlugStore::local(&at.join("blobs")).unwrap();
        samples[1].push(timed(|| runtime.block_on(store.put(&packed.digest, &image)).unwrap()));
        let mounts = Mounts::new(&at.join("mounts")).unwrap();
        samples[2].push(timed(|| {
            let image = runtime.block_on(store.image(&packed.digest, &at)).unwrap();
            let lower = mounts.mount(&packed.digest, &image, identity).unwrap();
            overlay(&at.join("replica"), &lower, identity).unwrap();
        }));
        unmount_below(&at).unwrap();
        let tar = at.join("tar");
        samples[3].push(timed(|| {
            shell(&format!("tar -C {} -cf - . | zstd -q -T2 -3 -o {}", tree.display(), tar.display()))
        }));
        samples[4].push(timed(|| {
            shell(&format!("zstd -q -dc {} | tar -C {} -xf -", tar.display(), at.join("unpacked").display()))
        }));
        std::fs::remove_dir_all(&at).unwrap();
    }
    let [packing, storing, mounting, taring, untaring] = samples.map(median);
    println!("a slug of 200 MB in 5,000 files, medians of {ROUNDS}\n");
    row("pack: squashfs, sandboxed, hashed", packing, Some(("tar and zstd -3", taring)));
    row("store", storing, None);
    row("verified, mounted, overlaid", mounting, Some(("zstd and tar", untaring)));
}

/// Files that are half noise and half not, as compiled code is.
fn plant(tree: &Path, identity: Identity) {
    let mut state = 1_u64;
    for file in 0..FILES {
        let path = tree.join(format!("{}/{file}", file % 50));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let byte = |index: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if index.is_multiple_of(2) { (state >> 33) as u8 } else { b'x' }
        };
        std::fs::write(&path, (0..FILE_BYTES).map(byte).collect::<Vec<u8>>()).unwrap();
        lchown(&path, Some(identity.uid()), Some(identity.gid())).unwrap();
        lchown(path.parent().unwrap(), Some(identity.uid()), Some(identity.gid())).unwrap();
    }
    lchown(tree, Some(identity.uid()), Some(identity.gid())).unwrap();
}

fn shell(line: &str) {
    assert!(Command::new("bash").args(["-o", "pipefail", "-c", line]).status().unwrap().success(), "{line}");
}

fn timed(what: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    what();
    begun.elapsed()
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples[samples.len() / 2]
}

fn row(name: &str, took: Duration, peer: Option<(&str, Duration)>) {
    let beside = peer.map_or(String::new(), |(peer, other)| {
        format!(
            "   {peer}: {:.3} s, {:.1} times as long",
            other.as_secs_f64(),
            other.as_secs_f64() / took.as_secs_f64()
        )
    });
    println!("{name:<36}{:>8.3} s{beside}", took.as_secs_f64());
}
