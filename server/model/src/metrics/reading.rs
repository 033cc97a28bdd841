//! What a replica used of its host at one time, and whether that is news.

use serde::{Deserialize, Serialize};

/// Processor time and memory of a replica, as far as they are counted on its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Processor time in thousandths of one core.
    pub millicores: Option<u32>,
    /// Memory in use, in units of 2^20 bytes.
    pub memory_mib: Option<u32>,
}

impl Reading {
    /// Tells whether it is so near to an earlier one that it need not be written again: within two hundredths of a core
    /// or a tenth, and within 4 MiB or a twentieth.
    #[must_use]
    pub fn is_about(&self, earlier: &Self) -> bool {
        is_near(self.millicores, earlier.millicores, 20, 10)
            && is_near(self.memory_mib, earlier.memory_mib, 4, 20)
    }
}

fn is_near(now: Option<u32>, earlier: Option<u32>, at_least: u32, part: u32) -> bool {
    match (now, earlier) {
        (Some(now), Some(earlier)) => now.abs_diff(earlier) <= at_least.max(earlier / part),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(millicores: u32, memory_mib: u32) -> Reading {
        Reading { millicores: Some(millicores), memory_mib: Some(memory_mib) }
    }

    #[test]
    fn noise_is_no_news_and_what_begins_to_be_measured_is() {
        assert!(reading(20, 104).is_about(&reading(0, 100)));
        assert!(!reading(21, 100).is_about(&reading(0, 100)));
        assert!(reading(1_090, 500).is_about(&reading(1_000, 520)));
        assert!(!reading(1_000, 500).is_about(&reading(1_000, 530)));
        assert!(!reading(0, 0).is_about(&Reading::default()));
        assert!(Reading::default().is_about(&Reading::default()));
    }
}
