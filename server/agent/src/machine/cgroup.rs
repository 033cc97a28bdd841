//! What the kernel says of a container with limits of its own: the files of its group, as cgroup-v2.rst of the kernel has
//! them. Of version 1 nothing is read; there the machine's own numbers are told.

use std::time::Duration;

use model::host_use::Share;

use super::Worked;

/// Reads how long the processes of a group worked from its `cpu.max` and `cpu.stat`; nothing without a limit.
pub(super) fn worked(max: &str, stat: &str, at: Duration) -> Option<Worked> {
    let mut words = max.split_whitespace().map(str::parse::<u64>);
    // Without a limit the first word is `max`.
    let (quota, period) = (words.next()?.ok()?, words.next()?.ok()?);
    let of = quota.checked_mul(1_000)?.checked_div(period)?;
    let all = u64::try_from(at.as_micros().checked_mul(u128::from(of))? / 1_000).ok()?;
    (of > 0).then_some(Worked { busy: field(stat, "usage_usec")?, all, of })
}

/// Reads the memory of a group from its `memory.max`, `memory.current` and `memory.stat`, in bytes; nothing without a limit.
pub(super) fn memory(max: &str, current: &str, stat: &str) -> Option<Share> {
    let (of, all): (u64, u64) = (max.trim().parse().ok()?, current.trim().parse().ok()?);
    // Files that were not read lately make room when somebody needs it.
    let used = all.saturating_sub(field(stat, "inactive_file").unwrap_or(0)).min(of);
    Some(Share { used, of })
}

fn field(stat: &str, name: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_container_of_a_core_and_a_half_is_read_and_one_without_limits_is_the_machine() {
        let stat = "usage_usec 4000000\nuser_usec 3000000\n";
        let first = worked("150000 100000\n", stat, Duration::from_secs(10)).unwrap();
        let stat = "usage_usec 9000000\nuser_usec 3000000\n";
        let second = worked("150000 100000\n", stat, Duration::from_secs(20)).unwrap();
        assert_eq!(second.since(&first), Some(Share { used: 500, of: 1_500 }), "5 s of 10");
        assert_eq!(worked("max 100000\n", stat, Duration::ZERO), None);
        assert_eq!(worked("150000 100000\n", "user_usec 1\n", Duration::ZERO), None);
        let stat = "anon 9\nfile 50\ninactive_file 30\n";
        assert_eq!(memory("1000\n", "100\n", stat), Some(Share { used: 70, of: 1_000 }));
        assert_eq!(memory("1000\n", "100\n", ""), Some(Share { used: 100, of: 1_000 }));
        assert_eq!(memory("max\n", "100\n", stat), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(max in "(max|[0-9]{0,21}) ?[0-9]{0,21}", stat in "(usage_usec|inactive_file) [0-9]{0,21}\n", seconds in any::<u64>()) {
            let _ = worked(&max, &stat, Duration::from_secs(seconds));
            if let Some(share) = memory(&max, "7", &stat) {
                prop_assert!(share.used <= share.of);
            }
        }
    }
}
