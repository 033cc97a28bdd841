//! What a host's machine has in use, whoever uses it: replicas, builds, the platform itself.

use serde::{Deserialize, Serialize};

/// How much of something is in use, and how much there is, in one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// In use.
    pub used: u64,
    /// All there is.
    pub of: u64,
}

/// What a machine has in use, as far as that can be read there. It is the machine's, also where a host offers more or less of
/// it, and the same for all agents of one machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUse {
    /// Processor time over the last measuring period, in thousandths of a core; nothing until it was read twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millicores: Option<Share>,
    /// Memory that could not be given to anybody else, in bytes: files that are only cached do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<Share>,
}

impl HostUse {
    /// Tells whether this is about the same as an earlier one: the processors within a twentieth of a core or of what it was,
    /// the memory within 16 MiB or a fiftieth. A machine is never quite still, and that alone is no news.
    #[must_use]
    pub fn is_about(&self, earlier: &Self) -> bool {
        is_near(self.cpu_millicores, earlier.cpu_millicores, 50, 20)
            && is_near(self.memory_bytes, earlier.memory_bytes, 16 << 20, 50)
    }
}

fn is_near(now: Option<Share>, earlier: Option<Share>, at_least: u64, part: u64) -> bool {
    match (now, earlier) {
        (Some(now), Some(earlier)) => {
            now.of == earlier.of && now.used.abs_diff(earlier.used) <= at_least.max(earlier.used / part)
        }
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use(millicores: u64, mib: u64) -> HostUse {
        HostUse {
            cpu_millicores: Some(Share { used: millicores, of: 4_000 }),
            memory_bytes: Some(Share { used: mib << 20, of: 8 << 30 }),
        }
    }

    #[test]
    fn a_machine_that_is_not_quite_still_is_about_the_same() {
        assert!(in_use(50, 116).is_about(&in_use(0, 100)));
        assert!(!in_use(51, 100).is_about(&in_use(0, 100)));
        assert!(!in_use(0, 117).is_about(&in_use(0, 100)));
        assert!(in_use(2_100, 5_100).is_about(&in_use(2_000, 5_000)));
        assert!(!in_use(2_101, 5_000).is_about(&in_use(2_000, 5_000)));
        assert!(!in_use(0, 0).is_about(&HostUse::default()), "it was not known");
        assert!(HostUse::default().is_about(&HostUse::default()));
        let larger = HostUse { memory_bytes: Some(Share { used: 0, of: 9 << 30 }), ..in_use(0, 0) };
        assert!(!larger.is_about(&in_use(0, 0)), "another machine");
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert_eq!(serde_json::to_string(&HostUse::default()).unwrap(), "{}");
        let said = serde_json::to_string(&in_use(1_200, 1)).unwrap();
        assert_eq!(serde_json::from_str::<HostUse>(&said).unwrap(), in_use(1_200, 1));
    }
}
