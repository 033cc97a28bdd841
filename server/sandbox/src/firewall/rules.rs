//! Decides the rules of the packet filter, as `nft(8)` reads them. Nothing here does anything.
//!
//! What is sent by an app or a build is known by its uid: the sender's socket knows it, the receiver's does not. So a
//! rule can say who may open a connection to a port, and the port of a replica is opened to its own app. Only ports that
//! this server gave away are spoken of: another server on the same host has apps with the same uids.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use crate::mark;

/// The longest comment that the kernel keeps, `NFTNL_UDATA_COMMENT_MAXLEN` of libnftnl.
const COMMENT_MAX: usize = 127;

/// Matches what opens a TCP connection.
const OPENS: &str = "tcp flags & (syn | ack) == syn";

/// What apps and builds may not reach over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The directory of the server whose rules these are.
    pub data_dir: PathBuf,
    /// The users that apps and builds run as.
    pub uids: RangeInclusive<u32>,
    /// The ports that the control plane listens on here, whatever the address.
    pub control_ports: Vec<u16>,
    /// Where it listens on other machines.
    pub control_addresses: Vec<SocketAddr>,
    /// How the names of the bridges begin that apps have in containers, if there are any.
    pub bridges: Option<String>,
    /// The ports of replicas, if other machines reach them, too: a load balancer does, and the network keeps everybody else
    /// out.
    pub balanced_ports: Option<RangeInclusive<u16>>,
}

impl Reach {
    /// Returns the name of the table with the rules of a server.
    pub(super) fn table(data_dir: &Path) -> String {
        format!("paas_{}", mark(data_dir))
    }

    /// Returns what puts the rules in the place of those that were there, in one step.
    ///
    /// `own` are the ports of the replicas that run already, with their users. `resolv_conf` names the servers that
    /// apps ask for names, which in some clouds are link-local.
    pub(super) fn rules(&self, own: &[(u32, u16)], resolv_conf: &str) -> String {
        let table = Self::table(&self.data_dir);
        let comment = comment(&self.data_dir).map(|text| format!("  comment \"{text}\"\n"));
        let mut rules = format!(
            "table inet {table}\ndelete table inet {table}\ntable inet {table} {{\n{}",
            comment.unwrap_or_default()
        );
        let (first, last) = (self.uids.start(), self.uids.end());
        let _ = write!(
            rules,
            "  set replicas {{ type inet_service; {} }}\n  \
               set own {{ type uid . inet_service; {} }}\n  \
               chain output {{\n    \
                 type filter hook output priority filter; policy accept;\n    \
                 meta skuid {first}-{last} jump apps\n  \
               }}\n  \
               chain input {{\n    \
                 type filter hook input priority filter; policy accept;\n    \
                 {}\n  \
               }}\n  chain apps {{\n",
            elements(own.iter().map(|(_, port)| port.to_string())),
            elements(own.iter().map(|(uid, port)| format!("{uid} . {port}"))),
            if self.balanced_ports.is_some() {
                ""
            } else {
                "iif != lo tcp dport @replicas reject with tcp reset"
            },
        );
        for rule in self.forbidden(resolv_conf) {
            let _ = writeln!(rules, "    {rule}");
        }
        rules.push_str("  }\n");
        rules.push_str(&self.containers(resolv_conf));
        rules.push_str("}\n");
        rules
    }

    /// What a container sends has no socket of this host's, and so no user: it is known by the bridge that it comes from.
    fn containers(&self, resolv_conf: &str) -> String {
        let Some(bridges) = &self.bridges else { return String::new() };
        let anywhere: Vec<_> = link_local(resolv_conf).into_iter().chain(self.elsewhere()).collect();
        // A load balancer reaches a container at a port of the host's, where the proxy of Docker would take anybody's connection.
        let balanced = self.balanced_ports.iter().map(|ports| {
            // Only what opens a connection: the host itself may ask a container from such a port.
            format!("tcp dport {}-{} {OPENS} reject with tcp reset", ports.start(), ports.end())
        });
        let ports = self.control_ports.iter().map(|port| format!("tcp dport {port} reject with tcp reset"));
        let ports = ports.chain(balanced).collect();
        let mut rules = String::new();
        for (hook, ports) in [("input", ports), ("forward", Vec::new())] {
            let _ = write!(
                rules,
                "  chain {hook} {{\n    type filter hook {hook} priority filter; policy accept;\n    \
                 iifname \"{bridges}*\" jump containers_{hook}\n  }}\n  chain containers_{hook} {{\n",
            );
            for rule in anywhere.iter().chain(&ports) {
                let _ = writeln!(rules, "    {rule}");
            }
            rules.push_str("  }\n");
        }
        rules
    }

    fn forbidden(&self, resolv_conf: &str) -> Vec<String> {
        let mut rules = link_local(resolv_conf);
        rules.extend(self.elsewhere());
        // Whatever address of this host is meant, the packet goes through the loopback.
        rules.extend(
            self.control_ports.iter().map(|port| format!("oif lo tcp dport {port} reject with tcp reset")),
        );
        // Only what opens a connection: a replica may well answer from such a port to such a port.
        rules.push(format!(
            "oif lo tcp dport @replicas {OPENS} meta skuid . tcp dport != @own reject with tcp reset"
        ));
        rules
    }

    /// What keeps apps off the control plane's other machines.
    fn elsewhere(&self) -> impl Iterator<Item = String> {
        self.control_addresses.iter().map(|address| {
            let family = if address.is_ipv4() { "ip" } else { "ip6" };
            let (ip, port) = (address.ip(), address.port());
            format!("{family} daddr {ip} tcp dport {port} reject with tcp reset")
        })
    }
}

/// Returns what keeps apps off link-local addresses, but for names where the host's resolver is one.
fn link_local(resolv_conf: &str) -> Vec<String> {
    let mut rules: Vec<_> = link_local_resolvers(resolv_conf)
        .map(|ip| {
            let family = if ip.is_ipv4() { "ip" } else { "ip6" };
            format!("{family} daddr {ip} meta l4proto {{ tcp, udp }} th dport 53 accept")
        })
        .collect();
    rules.push("ip daddr 169.254.0.0/16 reject with icmpx admin-prohibited".to_owned());
    // The second is where EC2 has its metadata in IPv6, a local address that is not link-local.
    rules.push("ip6 daddr { fe80::/10, fd00:ec2::254 } reject with icmpx admin-prohibited".to_owned());
    rules
}

/// Returns what gives (`add`) or takes (`delete`) a port as that of a replica and opens or closes it to its own user.
pub(super) fn change(verb: &str, table: &str, uid: u32, port: u16) -> String {
    format!(
        "{verb} element inet {table} own {{ {uid} . {port} }}\n{verb} element inet {table} replicas {{ {port} }}\n"
    )
}

/// Returns the elements of a set; an empty list of them is an error in `nft`.
fn elements(list: impl Iterator<Item = String>) -> String {
    let list = list.collect::<Vec<_>>().join(", ");
    if list.is_empty() { list } else { format!("elements = {{ {list} }};") }
}

/// Returns the directory as the comment of a table, unless it cannot stand in one.
pub(super) fn comment(data_dir: &Path) -> Option<&str> {
    let plain = |text: &&str| text.len() <= COMMENT_MAX && !text.contains(['"', '\\', '\n']);
    data_dir.to_str().filter(plain)
}

/// Reads `resolv.conf(5)`.
fn link_local_resolvers(resolv_conf: &str) -> impl Iterator<Item = IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        address.split('%').next()?.parse::<IpAddr>().ok()
    };
    resolv_conf.lines().filter_map(server).filter(|ip| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => Ipv6Addr::is_unicast_link_local(ip),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach() -> Reach {
        Reach {
            data_dir: "/nowhere/data".into(),
            uids: 200_000..=4_294_967_293,
            control_ports: vec![5000],
            control_addresses: Vec::new(),
            bridges: None,
            balanced_ports: None,
        }
    }

    #[test]
    fn behind_a_balancer_other_machines_reach_replicas_and_other_apps_do_not() {
        let rules =
            Reach { balanced_ports: Some(20_000..=20_999), ..reach() }.rules(&[(200_001, 20_001)], "");
        assert!(!rules.contains("iif != lo"), "{rules}");
        assert!(rules.contains("oif lo tcp dport @replicas"), "{rules}");
    }

    #[test]
    fn the_control_plane_on_other_machines_is_out_of_reach_of_apps_in_both_engines() {
        let control_addresses = vec!["10.0.0.1:5001".parse().unwrap(), "[fd00::1]:5001".parse().unwrap()];
        let reach = Reach { control_addresses, bridges: Some("p0123-".into()), ..reach() };
        let rules = reach.rules(&[], "");
        // Of apps in sandboxes, and of containers to this host and beyond it.
        for rule in ["ip daddr 10.0.0.1 tcp dport 5001 reject", "ip6 daddr fd00::1 tcp dport 5001 reject"] {
            assert_eq!(rules.matches(rule).count(), 3, "{rules}");
        }
    }

    #[test]
    fn containers_are_known_by_their_bridges() {
        let rules = Reach { bridges: Some("p0123-".into()), ..reach() }.rules(&[], "");
        assert_eq!(rules.matches("iifname \"p0123-*\" jump containers_").count(), 2, "{rules}");
        assert_eq!(rules.matches("    tcp dport 5000 reject").count(), 1, "only to this host: {rules}");
        assert!(!rules.contains("dport 20000"), "none is to be had at the host: {rules}");
        assert!(!reach().rules(&[], "").contains("hook forward"));
        let balanced =
            Reach { bridges: Some("p0123-".into()), balanced_ports: Some(20_000..=20_999), ..reach() };
        assert!(balanced.rules(&[], "").contains("    tcp dport 20000-20999 tcp flags"));
    }

    #[test]
    fn what_is_forbidden_is_forbidden_to_apps_only() {
        let rules = reach().rules(&[(200_001, 20_001), (200_002, 20_002)], "");
        assert!(rules.contains("meta skuid 200000-4294967293 jump apps\n"), "{rules}");
        assert!(rules.contains("elements = { 200001 . 20001, 200002 . 20002 };"), "{rules}");
        assert!(rules.contains("elements = { 20001, 20002 };"), "{rules}");
        assert!(rules.contains("oif lo tcp dport 5000 reject"), "{rules}");
        assert!(rules.contains("iif != lo tcp dport @replicas reject"), "{rules}");
        assert!(rules.contains("comment \"/nowhere/data\""), "{rules}");
    }

    #[test]
    fn a_link_local_resolver_stays_reachable_for_names() {
        let conf = "# x\nnameserver 169.254.169.254\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\n";
        let rules = reach().forbidden(conf);
        assert_eq!(rules[0], "ip daddr 169.254.169.254 meta l4proto { tcp, udp } th dport 53 accept");
        assert!(rules[1].starts_with("ip6 daddr fe80::1 ") && rules[2].contains("169.254.0.0/16 reject"));
    }

    #[test]
    fn a_path_that_cannot_stand_in_a_comment_is_left_out() {
        assert_eq!(comment(Path::new("/a\"b")), None);
        assert_eq!(comment(Path::new(&"/a".repeat(100))), None);
    }
}
