//! How values of the environment get in, and where they must not be seen.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
};

use sandbox::{Environment, Sandbox};

use crate::world::{World, bash, identity};

fn any_bytes() -> OsString {
    OsString::from_vec((1..=255).cycle().take(65_000).collect())
}

#[test]
fn values_of_any_bytes_arrive_unchanged() {
    let values = [
        ("ANY_BYTES", any_bytes()),
        ("EMPTY", "".into()),
        ("INVALID", OsString::from_vec(vec![b'a', 0xff, 0xc3, b'\n', 0x01, 0x7f])),
        ("LC_ALL", "C.UTF-8".into()),
        ("BASH_ENV", "/nowhere".into()),
        ("IFS", "AB".into()),
        ("POSIXLY_CORRECT", "1".into()),
        ("RANDOM", "5".into()),
        ("SHELL_TRICKS", "$(id) `id` ' \" \\ ; exit 3 #".into()),
        ("ZWÖLF", "refused".into()),
    ];
    let mut environment = Environment::base();
    for (name, value) in &values[..9] {
        environment.set(*name, value).unwrap();
    }
    assert!(environment.set(values[9].0, &values[9].1).is_err());
    let sandbox = Sandbox { environment, ..Sandbox::new(identity(), ["/usr/bin/env", "-0"]) };

    let ended = World::new().run(&sandbox);

    let arrived: BTreeMap<_, _> = ended
        .out
        .split(|byte| *byte == 0)
        .filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            Some((pair[..equals].to_vec(), pair[equals + 1..].to_vec()))
        })
        .collect();
    for (name, value) in &values[..9] {
        assert_eq!(arrived.get(name.as_bytes()), Some(&value.clone().into_vec()), "{name}");
    }
    assert_eq!(arrived[b"HOME".as_slice()], b"/app");
}

#[test]
fn only_the_program_itself_obeys_the_loader_variables() {
    let mut sandbox = Sandbox::new(identity(), ["/bin/true"]);
    sandbox.environment.set("LD_PRELOAD", "/app/owned.so").unwrap();
    let text = World::new().run(&sandbox).text();
    assert_eq!(text.matches("owned.so").count(), 1, "{text}");
}

#[test]
fn a_value_is_in_no_argument_and_only_root_reads_it_from_outside() {
    let world = World::new();
    let mut sandbox = bash("echo ready; sleep 1000");
    sandbox.environment.set("SECRET", "sentinel-59d1").unwrap();
    let mut running = world.spawn(&sandbox);
    running.read_until("ready");

    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("sentinel-59d1"), "{}", entry.path().display());
    }
    let owner = fs::metadata(format!("/proc/{}/environ", running.child.id())).unwrap().uid();
    assert_eq!(owner, rustix::process::geteuid().as_raw());
}

#[test]
fn as_root_an_app_cannot_read_the_environment_of_the_process_above_it() {
    let world = World::new();
    if !world.is_root() {
        return;
    }
    let text = world.bash("cat /proc/1/environ | wc -c").text();
    assert!(text.contains("Permission denied"), "{text}");
}

#[test]
fn the_environment_shows_names_and_never_values() {
    let mut environment = Environment::base();
    environment.set("SECRET", "sentinel-77ab").unwrap();
    let shown = format!("{environment:?}");
    assert!(shown.contains("SECRET") && !shown.contains("sentinel"), "{shown}");
}
