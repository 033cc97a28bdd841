//! The address that the control plane's machine has in its network. Hosts were told to call there, so that a machine in the place
//! of one that was lost must have the same one.

use std::net::Ipv4Addr;

/// Which address of its subnet it is: beyond those that AWS keeps, the first four ("Subnet CIDR blocks", the VPC's guide).
const NUMBER: u32 = 10;

/// The largest prefix whose networks have that many addresses.
const LONGEST_PREFIX: u8 = 27;

/// Returns the address in a network such as `10.20.0.0/20`, if it has so many.
pub(super) fn in_network(network: &str) -> Option<Ipv4Addr> {
    let (first, prefix) = network.split_once('/')?;
    let first: Ipv4Addr = first.parse().ok()?;
    let large = prefix.parse::<u8>().ok()? <= LONGEST_PREFIX;
    large.then(|| Ipv4Addr::from_bits(first.to_bits().saturating_add(NUMBER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_each_time_and_in_the_network() {
        assert_eq!(in_network("10.20.16.0/20"), Some(Ipv4Addr::new(10, 20, 16, 10)));
        assert_eq!(in_network("192.168.1.32/27"), Some(Ipv4Addr::new(192, 168, 1, 42)));
        for none in ["192.168.1.16/28", "10.20.0.0", "fd00::/64", "10.20.0.0/x", ""] {
            assert_eq!(in_network(none), None, "{none}");
        }
    }
}
