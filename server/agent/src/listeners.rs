//! Finds where processes listen, by `/proc`: `proc_pid_net(5)` describes its tables.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The state of a socket that listens, `TCP_LISTEN` of the kernel.
const LISTEN: &str = "0A";

/// Returns where these processes listen for TCP, in order. They share one network with each other. Nothing if this process
/// may not see what they have open, as without `CAP_SYS_PTRACE` in a container.
#[must_use]
pub fn of_processes(pids: &[i32]) -> Option<Vec<SocketAddr>> {
    let mut inodes = BTreeSet::new();
    for pid in pids {
        inodes.extend(sockets(*pid)?);
    }
    let mut found: Vec<SocketAddr> = ["tcp", "tcp6"]
        .into_iter()
        .flat_map(|table| {
            let read = |pid| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok();
            listening(&pids.iter().find_map(read).unwrap_or_default())
        })
        .filter(|(_, inode)| inodes.contains(inode))
        .map(|(address, _)| address)
        .collect();
    found.sort();
    found.dedup();
    Some(found)
}

/// Returns the inodes of a process's sockets, none if it has ended, and nothing if they may not be seen.
fn sockets(pid: i32) -> Option<Vec<u64>> {
    let entries = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        entries => entries.into_iter().flatten().flatten(),
    };
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Some(entries.filter_map(inode).collect())
}

/// Returns the listening sockets of a table with their inodes.
fn listening(table: &str) -> Vec<(SocketAddr, u64)> {
    let entry = |line: &str| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (*state == LISTEN).then_some((address(local)?, inode.parse().ok()?))
    };
    table.lines().skip(1).filter_map(entry).collect()
}

/// Reads `0100007F:1F90`: words of the address in the byte order of the machine, the port in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |hex: &str| u32::from_str_radix(hex, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(ip)?)),
        32 if ip.is_ascii() => {
            let mut octets = [0; 16];
            for (at, chunk) in octets.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(&ip[at * 8..at * 8 + 8])?);
            }
            IpAddr::from(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn our_own_listeners_are_found_on_both_families() {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap().into_address();
        let v6 = TcpListener::bind("[::1]:0").unwrap().into_address();
        let found = of_processes(&[i32::try_from(std::process::id()).unwrap()]).unwrap();
        for (_listener, address) in [&v4, &v6] {
            assert!(found.contains(address), "{address} in {found:?}");
        }
        assert_eq!(of_processes(&[]), Some(Vec::new()));
    }

    trait IntoAddress {
        fn into_address(self) -> (TcpListener, SocketAddr);
    }

    impl IntoAddress for TcpListener {
        fn into_address(self) -> (TcpListener, SocketAddr) {
            let address = self.local_addr().unwrap();
            (self, address)
        }
    }

    #[test]
    fn nonsense_in_a_table_is_passed_over() {
        assert_eq!(listening("header\n 0: zz:1F90 0 0A\n 1: 0100007F 1 0A 0 0 0 0 0 7\n\n"), []);
    }
}
