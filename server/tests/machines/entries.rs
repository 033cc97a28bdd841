//! What goes through the entry of a host: connections that last and bodies that are large, and nobody but servers.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;

use sha2::{Digest as _, Sha256};

use super::fleet::{Fleet, wait_for_replicas};
use super::machine::Machine;
use super::network::Side;
use crate::{wait, websocket};

/// Large enough that it is in no buffer on the way.
const LARGE: usize = 48 << 20;

/// Connects to each port of an address and prints those where somebody answers.
const KNOCK: &str = "import socket, sys
for port in sys.argv[2:]:
    try:
        socket.create_connection((sys.argv[1], int(port)), 5).close()
        print(port)
    except OSError:
        pass";

/// Speaks TLS to an entry as somebody without a certificate, and prints what the replica says.
const STRANGER: &str = "import socket, ssl, sys
context = ssl._create_unverified_context()
with context.wrap_socket(socket.create_connection((sys.argv[1], 5002), 5), server_hostname=sys.argv[2]) as s:
    s.sendall(b'GET /5 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    print(s.recv(99))";

#[test]
fn websockets_and_large_bodies_go_through_the_entry_of_a_host_and_strangers_do_not() {
    let fleet = Fleet::start(&["a", "b"]);
    let app = fleet.leader.platform.app("shop");
    app.write("bin/web", websocket::SERVER)
        .executable("bin/web")
        .write("Procfile", "web: bin/web\n")
        .commit("Take all");
    app.deploy();
    app.paasctl(&["scale", "web=2"]);
    assert_eq!(wait_for_replicas(&app, 2).len(), 2, "one on each host");
    let (routers, host) = (fleet.routers(), app.host());
    for router in routers {
        assert_body_arrives(router, &host);
    }
    assert_ports_are_closed(&fleet);

    let mut socket = websocket::open(routers[1], &host);
    let echo = |socket: &mut TcpStream| {
        let mut echoed = [0; 4];
        socket.write_all(&websocket::FRAME).unwrap();
        socket.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, websocket::FRAME);
    };
    echo(&mut socket);
    // Each of the two is replaced: so is the one that the connection goes to.
    app.paasctl(&["ps:restart"]);
    let mut goodbye = [0; 4];
    socket.read_exact(&mut goodbye).unwrap();
    assert_eq!((goodbye[0], &goodbye[2..]), (0x88, &1001_u16.to_be_bytes()[..]), "{goodbye:?}");
    echo(&mut websocket::open(routers[1], &host));
}

/// Sends something large and asks for something large.
fn assert_body_arrives(router: SocketAddr, host: &str) {
    let piece: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let mut stream = TcpStream::connect(router).unwrap();
    write!(stream, "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {LARGE}\r\n\r\n")
        .unwrap();
    let mut digest = Sha256::new();
    for _ in 0..LARGE / piece.len() {
        stream.write_all(&piece).unwrap();
        digest.update(&piece);
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(&hex::encode(digest.finalize())), "{answer}");
    let mut stream = TcpStream::connect(router).unwrap();
    write!(stream, "GET /{LARGE} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.iter().filter(|byte| **byte == b'x').count(), LARGE);
}

/// The ports of replicas are for their own host; its entry is for servers.
fn assert_ports_are_closed(fleet: &Fleet) {
    let (one, two) = (&fleet.hosts[0].machine, &fleet.hosts[1].machine);
    let ports = wait::until("a replica's port", || Some(listening(one)).filter(|ports| ports.len() > 1));
    let entry = "5002".to_owned();
    assert!(ports.contains(&entry), "{ports:?}");
    let address = one.address(Side::Users);
    assert_ne!(answering(one, Ipv4Addr::LOCALHOST, &ports), "", "the host itself reaches its replicas");
    assert_eq!(answering(two, address, &ports), entry);
    let ids = fleet.app().json(&["ps"]);
    let id =
        |dyno: &serde_json::Value| (dyno["host"] == "a1").then(|| dyno["id"].as_str().unwrap().to_owned());
    let replica = ids.as_array().unwrap().iter().find_map(id).unwrap();
    let name = format!("{replica}.replicas.paas.internal");
    let said = run(two, STRANGER, &[address.to_string(), name]);
    assert!(!said.contains("200 OK"), "a stranger was let in: {said}");
}

/// Returns the ports at which somebody on a machine listens.
fn listening(machine: &Machine) -> Vec<String> {
    let place = machine.place();
    let table = place.output(place.command("cat".as_ref()).arg("/proc/net/tcp")).unwrap();
    let port = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (address, _, state) = (words.next()?, words.next()?, words.next()?);
        // 0A is LISTEN in `include/net/tcp_states.h`.
        let port = u16::from_str_radix(address.split(':').nth(1)?, 16).ok()?;
        (state == "0A").then(|| port.to_string())
    };
    String::from_utf8_lossy(&table.stdout).lines().filter_map(port).collect()
}

/// Returns at which ports somebody answers who is called from a machine.
fn answering(from: &Machine, address: Ipv4Addr, ports: &[String]) -> String {
    let mut arguments = vec![address.to_string()];
    arguments.extend_from_slice(ports);
    run(from, KNOCK, &arguments)
}

fn run(machine: &Machine, script: &str, arguments: &[String]) -> String {
    let place = machine.place();
    let mut command = place.command("/usr/bin/python3".as_ref());
    command.args(["-c", script]).args(arguments).stderr(Stdio::null());
    let output = place.output(&mut command).unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}
