//! What a program may see and do.

use std::fs;

use sandbox::Bind;

use crate::world::{World, bash};

#[test]
fn a_program_has_no_capability_and_can_gain_none() {
    let world = World::new();
    let status = world.bash("cat /proc/self/status").text();
    for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(status.contains(&format!("{name}:\t0000000000000000")), "{status}");
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    if world.is_root() {
        assert!(status.contains("CapBnd:\t0000000000000000"), "{status}");
    }
}

#[test]
fn a_program_is_the_user_app_in_no_other_group() {
    let world = World::new();
    let text = world.bash("whoami; id -u; id -G | wc -w").text();
    assert!(text.starts_with(&format!("app\n{}\n", world.uid())), "{text}");
    if world.is_root() {
        assert!(text.ends_with("\n1\n"), "{text}");
    }
}

#[test]
fn a_program_sees_no_process_but_its_own() {
    let text = World::new().bash("echo /proc/[0-9]*").text();
    assert_eq!(text.trim(), "/proc/1 /proc/2");
}

#[test]
fn a_program_sees_the_stack_and_nothing_else_of_the_host() {
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("key"), "k").unwrap();
    let script = format!("ls -A /; cat /etc/shadow; ls /root /home /srv /sys {}", secret.path().display());
    let text = World::new().bash(&script).text();
    for name in ["root", "home", "srv", "sys", "opt", "mnt"] {
        assert!(!text.lines().any(|line| line == name), "{name} in {text}");
    }
    assert_eq!(text.matches("No such file").count(), 6, "{text}");
}

#[test]
fn the_programs_of_the_stack_run_and_names_resolve() {
    let text = World::new()
        .bash("getent hosts localhost; getent passwd app; date +%Z; python3 -c 'import ssl'")
        .text();
    assert!(text.contains("localhost") && text.contains(":/app:/bin/bash"), "{text}");
    assert!(!text.contains("rror"), "{text}");
}

#[test]
fn a_program_writes_only_where_it_may() {
    let script =
        "for d in / /usr /usr/local /etc /dev /run /proc /var; do test -d $d || echo no $d; touch $d/x 2>/dev/null && echo $d; done
                  for d in /tmp /var/tmp /dev/shm; do touch $d/x || echo not $d; done; echo done";
    assert_eq!(World::new().bash(script).text(), "done\n");
}

#[test]
fn temporary_files_are_bounded() {
    let mut sandbox = bash("head -c 3000000 /dev/zero > /tmp/big; stat -c %s /tmp/big");
    sandbox.limits.tmp_bytes = 1 << 20;
    let text = World::new().run(&sandbox).text();
    assert!(text.contains("No space left") && text.ends_with("1048576\n"), "{text}");
}

#[test]
fn a_bind_is_seen_as_its_mode_says() {
    let world = World::new();
    let shared = tempfile::tempdir_in("/tmp").unwrap();
    let own = shared.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(shared.path().join("file"), "content\n").unwrap();
    if world.is_root() {
        let identity = crate::world::identity();
        std::os::unix::fs::chown(&own, Some(identity.uid()), Some(identity.gid())).unwrap();
    }
    fs::set_permissions(shared.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut sandbox = bash("cat /opt/packs/file; touch /opt/packs/own/x; touch /app/y && pwd");
    sandbox.binds = vec![Bind::read_only(shared.path(), "/opt/packs"), Bind::read_write(&own, "/app")];
    sandbox.binds.push(Bind { optional: true, ..Bind::read_only("/nowhere", "/opt/nowhere") });
    sandbox.workdir = "/app".into();
    let text = world.run(&sandbox).text();
    let refused = "touch: cannot touch '/opt/packs/own/x': Read-only file system";
    assert_eq!(text, format!("content\n{refused}\n/app\n"));
    assert!(own.join("y").exists() && !own.join("x").exists());
}

#[test]
fn without_the_network_there_is_only_the_loopback() {
    let mut sandbox = bash("tail -n +3 /proc/net/dev | cut -d: -f1");
    sandbox.network = false;
    assert_eq!(World::new().run(&sandbox).text().trim(), "lo");
}

#[test]
fn a_program_may_open_its_output_itself_and_has_no_input() {
    let script = "echo one >/dev/stdout; echo two >/dev/stderr; echo three >>/proc/self/fd/1; cat; echo end";
    let ended = World::new().bash(script);
    assert_eq!(ended.text(), "one\ntwo\nthree\nend\n");
}

#[test]
fn the_exit_status_is_the_programs() {
    assert_eq!(World::new().bash("exit 7").status.code(), Some(7));
}

#[test]
fn it_has_the_host_name_it_was_given() {
    let mut sandbox = bash("cat /proc/sys/kernel/hostname");
    sandbox.hostname = Some("web-1".into());
    assert_eq!(World::new().run(&sandbox).text(), "web-1\n");
}

#[test]
fn its_first_process_tells_no_path_of_the_host() {
    let world = World::new();
    let told = world.bash("tr '\\0' ' ' < /proc/1/cmdline").text();
    assert!(told.contains("--args") && told.contains("/bin/bash"), "{told}");
    assert!(!told.contains("bind") && !told.contains("/tmp"), "{told}");
}
