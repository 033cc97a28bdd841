//! What the kernel says of the whole machine, see `proc_stat(5)` and `proc_meminfo(5)`.

use model::host_use::Share;

use super::Worked;

/// Reads how long the processors worked from `/proc/stat`; nothing if it is not one.
pub(super) fn worked(stat: &str) -> Option<Worked> {
    let first = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = first.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let &[user, nice, system, idle, ref more @ ..] = ticks.as_slice() else { return None };
    let of = |at: usize| more.get(at).copied().unwrap_or(0);
    let (waiting, interrupts, soft, stolen) = (of(0), of(1), of(2), of(3));
    // What guests used is in `user` already; what other machines of the same iron took, this one did not use.
    let busy = [user, nice, system, interrupts, soft].into_iter().fold(0, u64::saturating_add);
    let all = [idle, waiting, stolen].into_iter().fold(busy, u64::saturating_add);
    let is_core = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let cores = stat.lines().filter(is_core).count() as u64;
    (cores > 0).then_some(Worked { busy, all, of: cores * 1_000 })
}

/// Reads the memory in use from `/proc/meminfo`, in bytes: all but what programs could still get without swapping.
pub(super) fn memory(meminfo: &str) -> Option<Share> {
    let bytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
    };
    let of = bytes("MemTotal")?;
    Some(Share { used: of.saturating_sub(bytes("MemAvailable")?), of })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_machine_with_two_cores_is_read() {
        let stat = "cpu  100 20 30 400 50 6 7 80 90 0\ncpu0 50 10 15 200 25 3 4 40 45 0\n\
                    cpu1 50 10 15 200 25 3 3 40 45 0\nintr 1 2\nctxt 9\ncpus 3\n";
        assert_eq!(worked(stat), Some(Worked { busy: 163, all: 693, of: 2_000 }));
        let old = "cpu  1 2 3 4\ncpu0 1 2 3 4\n";
        assert_eq!(worked(old), Some(Worked { busy: 6, all: 10, of: 1_000 }), "an old kernel says less");
        for no in ["", "cpu  1 2 3\ncpu0 1 2 3\n", "cpu  1 2 3 4\n", "intr 1\n"] {
            assert_eq!(worked(no), None, "{no:?}");
        }
    }

    #[test]
    fn what_could_be_had_is_not_in_use() {
        let text = "MemTotal:        2014596 kB\nMemFree:          126164 kB\nMemAvailable:    1014596 kB\n";
        assert_eq!(memory(text), Some(Share { used: 1_000_000 << 10, of: 2_014_596 << 10 }));
        assert_eq!(memory("MemTotal: 5 kB\nMemFree: 1 kB\n"), None, "a kernel before 3.14");
        assert_eq!(memory("MemTotal: 5 kB\nMemAvailable: 9 kB\n"), Some(Share { used: 0, of: 5 << 10 }));
        assert_eq!(memory("MemTotal: 99999999999999999999 kB\nMemAvailable: 1 kB\n"), None);
    }

    proptest! {
        #[test]
        fn what_is_counted_is_read_again(
            ticks in prop::collection::vec(0..u64::MAX / 16, 4..10), cores in 1..300u64,
            total in 1..1u64 << 40, available in 0..1u64 << 40,
        ) {
            let words: Vec<String> = ticks.iter().map(u64::to_string).collect();
            let words = words.join(" ");
            let each: String = (0..cores).map(|core| format!("cpu{core} {words}\n")).collect();
            let worked = worked(&format!("cpu  {words}\n{each}intr 0\n")).unwrap();
            prop_assert_eq!(worked.of, cores * 1_000);
            prop_assert_eq!(worked.all, ticks.iter().take(8).sum::<u64>());
            prop_assert!(worked.busy <= worked.all);
            let text = format!("MemTotal: {total} kB\nMemAvailable:   {available} kB\n");
            let share = memory(&text).unwrap();
            prop_assert_eq!((share.used, share.of), (total.saturating_sub(available) << 10, total << 10));
        }

        #[test]
        fn no_text_is_too_strange(text in "(cpu[0-9 ]{0,30}\n|Mem(Total|Available): [0-9]{0,30} kB\n|\\PC{0,20}\n){0,8}") {
            let _ = worked(&text);
            if let Some(share) = memory(&text) {
                prop_assert!(share.used <= share.of);
            }
        }
    }
}
