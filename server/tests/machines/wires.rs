//! The networks themselves: what is cut is cut, and what is not is not.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::machine::Machine;
use super::network::{Network, Side};
use crate::wait;

/// Greets whoever calls, at port 7 of all addresses.
const GREETER: &str = "import socket
s = socket.create_server(('', 7))
while True:
    c, _ = s.accept()
    c.sendall(b'hello'); c.close()";

/// Calls port 7 and prints what is said.
const CALLER: &str = "import socket, sys
print(socket.create_connection((sys.argv[1], 7), 2).recv(9).decode())";

fn greeter(machine: &Machine) -> Child {
    let place = machine.place();
    place.spawn(place.command("/usr/bin/python3".as_ref()).args(["-c", GREETER])).unwrap()
}

fn hears(machine: &Machine, address: &str) -> bool {
    let place = machine.place();
    let mut command = place.command("/usr/bin/python3".as_ref());
    let output = place.output(command.args(["-c", CALLER, address]).stderr(Stdio::null())).unwrap();
    output.stdout.starts_with(b"hello")
}

/// Tells whether the test, as a visitor, hears the machine.
fn visitor_hears(machine: &Machine) -> bool {
    let address = SocketAddr::from((machine.address(Side::Users), 7));
    let mut text = String::new();
    TcpStream::connect_timeout(&address, Duration::from_secs(2))
        .and_then(|mut stream| stream.read_to_string(&mut text))
        .is_ok_and(|_| text == "hello")
}

#[test]
fn a_machine_is_cut_off_on_one_network_and_not_on_the_other_until_it_dies() {
    let network = Network::start();
    let (one, two) = (Machine::new(&network, "one"), Machine::new(&network, "two"));
    let mut greeter = greeter(&one);
    wait::until("a greeting", || visitor_hears(&one).then_some(()));
    let control = one.address(Side::Control).to_string();
    assert!(hears(&two, &control));
    one.cut_off();
    assert!(!hears(&two, &control) && visitor_hears(&one));
    assert!(hears(&two, &one.address(Side::Users).to_string()));
    one.heal();
    wait::until("the wire to be whole again", || hears(&two, &control).then_some(()));
    one.die();
    assert!(!greeter.wait().unwrap().success() && !visitor_hears(&one));
}
