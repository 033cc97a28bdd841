//! The same stories where the platform is not root.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use crate::world::World;

#[test]
fn every_story_holds_for_an_ordinary_user() {
    if !World::new().is_root() {
        return;
    }
    // The user may not be able to enter the build directory.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("stories");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();

    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(&copy)
        .env("TMPDIR", "/tmp")
        .current_dir("/")
        .output()
        .unwrap();

    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("unpacking::an_unpacked_slug_is_the_tree_and_belongs_to_the_app ... ok"), "{text}");
}
