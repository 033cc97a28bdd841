//! What a program may reach over the network. Rules are put up for the users of these tests only.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::Path,
    process::Command,
};

use sandbox::{Firewall, Privilege, Reach};

use crate::world::{World, bash, identity};

/// Prints how connecting to each address and port of the arguments ends.
const CONNECT: &str = r#"
import errno, socket, sys
for address, port in zip(sys.argv[1::2], sys.argv[2::2]):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.settimeout(5)
    try:
        s.connect((address, int(port)) if ":" not in address else (address, int(port), 0, 1))
        print("open")
    except OSError as error:
        print(errno.errorcode.get(error.errno, error))
"#;

struct Rules {
    world: World,
    reach: Reach,
    firewall: Firewall,
    _data_dir: tempfile::TempDir,
}

impl Drop for Rules {
    fn drop(&mut self) {
        Firewall::take_down(&self.reach.data_dir);
        assert!(!tables().contains(&sandbox::mark(&self.reach.data_dir)), "the table is gone");
    }
}

impl Rules {
    /// Returns nothing where there is no packet filter, which is said.
    fn new(control: u16) -> Option<Self> {
        Self::with_elsewhere(control, std::net::SocketAddr::from(([192, 0, 2, 1], 9)))
    }

    fn with_elsewhere(control: u16, elsewhere: std::net::SocketAddr) -> Option<Self> {
        let (world, data_dir) = (World::new(), tempfile::tempdir().unwrap());
        let reach = Reach {
            data_dir: data_dir.path().to_owned(),
            uids: identity().uid()..=identity().uid(),
            control_ports: vec![control],
            control_addresses: vec![elsewhere],
            bridges: None,
            balanced_ports: None,
        };
        match Firewall::put_up(world.host.privilege, &reach, &[]) {
            Ok(firewall) => Some(Self { world, reach, firewall, _data_dir: data_dir }),
            Err(sentence) => {
                assert!(sentence.starts_with("Apps and builds can reach "), "{sentence}");
                assert!(!world.is_root() || sentence.contains("nft"), "{sentence}");
                None
            }
        }
    }

    fn connect(&self, targets: &[(&str, u16)]) -> Vec<String> {
        let mut sandbox = bash("");
        sandbox.command = vec!["python3".into(), "-c".into(), CONNECT.into()];
        for (address, port) in targets {
            sandbox.command.extend([(*address).into(), port.to_string().into()]);
        }
        self.world.run(&sandbox).text().lines().map(ToOwned::to_owned).collect()
    }
}

fn tables() -> String {
    let output = Command::new("nft").args(["list", "tables"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn the_control_plane_and_link_local_addresses_are_out_of_reach_and_all_else_is_not() {
    let ((_control, control), (_other, other)) = (listener(), listener());
    let Some(rules) = Rules::with_elsewhere(control, std::net::SocketAddr::from(([127, 7, 7, 7], other)))
    else {
        return;
    };
    let targets = [
        ("127.0.0.1", control),
        ("127.8.9.1", control),
        ("127.7.7.7", other),
        ("127.0.0.1", other),
        ("169.254.169.254", 80),
    ];
    let seen = rules.connect(&targets);
    assert_eq!(seen[..4], ["ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED", "open"], "{seen:?}");
    assert!(["EHOSTUNREACH", "EACCES", "ENETUNREACH", "EPERM"].contains(&seen[4].as_str()), "{seen:?}");
    std::net::TcpStream::connect(("127.0.0.1", control)).unwrap();
}

#[test]
fn the_port_of_a_replica_is_open_to_its_own_app_only() {
    let ((_control, control), (_replica, port)) = (listener(), listener());
    let Some(rules) = Rules::new(control) else { return };
    let (target, own) = ([("127.0.0.1", port)], identity().uid());
    assert_eq!(rules.connect(&target), ["open"], "nobody's");
    for _ in 0..2 {
        rules.firewall.keep(own + 1, port).unwrap();
        assert_eq!(rules.connect(&target), ["ECONNREFUSED"], "another's");
    }
    for _ in 0..2 {
        rules.firewall.forget(own + 1, port).unwrap();
    }
    rules.firewall.keep(own, port).unwrap();
    assert_eq!(rules.connect(&target), ["open"], "its own");
    // A server that starts again says anew who runs.
    Firewall::put_up(Privilege::Root, &rules.reach, &[(own + 1, port)]).unwrap();
    assert_eq!(rules.connect(&target), ["ECONNREFUSED"], "another's");
    Firewall::put_up(Privilege::Root, &rules.reach, &[(own, port)]).unwrap();
    assert_eq!(rules.connect(&target), ["open"], "its own");
}

#[test]
fn rules_of_a_server_whose_directory_is_gone_are_removed_by_the_next() {
    let Some(first) = Rules::new(1) else { return };
    let gone = Reach { data_dir: first.reach.data_dir.join("gone"), ..first.reach.clone() };
    Firewall::put_up(Privilege::Root, &gone, &[]).unwrap();
    // Its own start has found the directory missing.
    assert!(!tables().contains(&sandbox::mark(Path::new(&gone.data_dir))));
    assert!(tables().contains(&sandbox::mark(&first.reach.data_dir)));
}

#[test]
fn abstract_sockets_of_the_host_are_out_of_reach_and_its_own_are_not() {
    let name = format!("paas-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _host = UnixListener::bind_addr(&address).unwrap();
    let script = format!(
        "import socket\nfor name in ('{name}-own', '{name}'):\n    s = socket.socket(socket.AF_UNIX)\n    \
         if name.endswith('-own'):\n        own = socket.socket(socket.AF_UNIX); own.bind('\\0' + name); own.listen()\n    \
         try:\n        s.connect('\\0' + name); print('open')\n    except PermissionError:\n        print('refused')\n"
    );
    let mut sandbox = bash("");
    sandbox.command = vec!["python3".into(), "-c".into(), script.into()];
    let run = move || {
        sandbox::leave_host_sockets();
        World::new().run(&sandbox).text()
    };
    let text = std::thread::spawn(run).join().unwrap();
    let expected =
        if sandbox::host_sockets_in_reach().is_none() { "open\nrefused\n" } else { "open\nopen\n" };
    assert_eq!(text, expected);
    // Other threads go on as before.
    UnixStream::connect_addr(&address).unwrap();
}
