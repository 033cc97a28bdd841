//! What this machine has in use, from one look to the next. Where it is a container with limits of its own, these are the
//! machine: what it offers follows from them, too.

mod cgroup;
mod proc;

use std::fs;
use std::time::{Duration, Instant};

use model::host_use::{HostUse, Share};

/// How long processors worked, of how long they could have, since some moment and in any one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Worked {
    busy: u64,
    all: u64,
    /// How much they are, in thousandths of a core.
    of: u64,
}

impl Worked {
    /// Returns how much worked since an earlier count, in thousandths of a core; nothing if that is no earlier count of the same.
    fn since(&self, earlier: &Self) -> Option<Share> {
        let busy = u128::from(self.busy.checked_sub(earlier.busy)?);
        let all = u128::from(self.all.checked_sub(earlier.all)?);
        let used = u64::try_from((busy * u128::from(self.of)).checked_div(all)?).ok()?;
        (self.of == earlier.of).then_some(Share { used: used.min(self.of), of: self.of })
    }
}

/// What is seen at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    worked: Option<Worked>,
    memory: Option<Share>,
}

impl Look {
    /// Looks, at a moment counted from any other; it reads files of the kernel. What cannot be read is left out.
    pub(crate) fn take(at: Duration) -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let group = |file: &str| read(&format!("/sys/fs/cgroup/{file}"));
        let worked = read("/proc/stat").and_then(|stat| proc::worked(&stat));
        let memory = read("/proc/meminfo").and_then(|meminfo| proc::memory(&meminfo));
        // These files are not in the root group: who sees them is in a container.
        let limited = || cgroup::worked(&group("cpu.max")?, &group("cpu.stat")?, at);
        let limited_memory =
            || cgroup::memory(&group("memory.max")?, &group("memory.current")?, &group("memory.stat")?);
        // A limit beyond what there is limits nothing.
        let limits = |limit: u64, all: Option<u64>| all.is_none_or(|all| limit < all);
        Self {
            worked: limited().filter(|one| limits(one.of, worked.map(|all| all.of))).or(worked),
            memory: limited_memory().filter(|one| limits(one.of, memory.map(|all| all.of))).or(memory),
        }
    }
}

/// What was seen of the machine last, and what was told of it.
#[derive(Debug)]
pub(crate) struct Machine {
    began: Instant,
    worked: Option<Worked>,
    told: Option<HostUse>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { began: Instant::now(), worked: None, told: None }
    }
}

impl Machine {
    /// Returns from when on the moments of looks are counted.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Takes note of a look. What is about the same as what was told is not told anew.
    pub(crate) fn note(&mut self, look: Look) {
        let before = std::mem::replace(&mut self.worked, look.worked);
        let cpu_millicores = look.worked.zip(before).and_then(|(now, before)| now.since(&before));
        let now = HostUse { cpu_millicores, memory_bytes: look.memory };
        if now == HostUse::default() {
            self.told = None;
        } else if !self.told.is_some_and(|told| now.is_about(&told)) {
            self.told = Some(now);
        }
    }

    /// Returns what the machine has in use, if anything of it is known.
    pub(crate) fn in_use(&self) -> Option<HostUse> {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn look(busy: u64, all: u64, mib: u64) -> Look {
        Look {
            worked: Some(Worked { busy, all, of: 4_000 }),
            memory: Some(Share { used: mib << 20, of: 8 << 30 }),
        }
    }

    #[test]
    fn processors_are_told_from_the_second_look_on_and_what_is_about_the_same_is_no_news() {
        let mut machine = Machine::default();
        assert_eq!(machine.in_use(), None);
        machine.note(look(1_000, 100_000, 3_000));
        let first = machine.in_use().unwrap();
        assert_eq!(
            (first.cpu_millicores, first.memory_bytes.unwrap().used),
            (None, 3_000 << 20),
            "one is not enough"
        );
        machine.note(look(2_200, 104_000, 3_000));
        let second = machine.in_use().unwrap();
        assert_eq!(second.cpu_millicores, Some(Share { used: 1_200, of: 4_000 }));
        machine.note(look(3_440, 108_000, 3_010));
        assert_eq!(machine.in_use(), Some(second), "it hardly moved");
        machine.note(look(7_440, 112_000, 3_010));
        assert_eq!(machine.in_use().unwrap().cpu_millicores, Some(Share { used: 4_000, of: 4_000 }));
        assert_eq!(machine.in_use().unwrap().memory_bytes.unwrap().used, 3_010 << 20);
        machine.note(Look::default());
        assert_eq!(machine.in_use(), None, "it cannot be read any more");
    }

    #[test]
    fn this_machine_is_seen_and_what_it_uses_is_less_than_all_of_it() {
        let look = Look::take(Duration::from_secs(1));
        let (worked, memory) = (look.worked.unwrap(), look.memory.unwrap());
        assert!(worked.of > 0 && memory.used > 0 && memory.used <= memory.of, "{worked:?} {memory:?}");
    }

    proptest! {
        #[test]
        fn no_counts_make_more_than_there_is(
            before in (any::<u64>(), any::<u64>()), now in (any::<u64>(), any::<u64>()), of in 0..1_000_000u64,
        ) {
            let worked = |(busy, all)| Worked { busy, all, of };
            if let Some(share) = worked(now).since(&worked(before)) {
                prop_assert!(share.used <= share.of && now.1 > before.1 && now.0 >= before.0);
            }
            let grown = Worked { of: of + 1, ..worked(before) };
            prop_assert_eq!(worked(now).since(&grown), None, "a processor was taken away meanwhile");
        }
    }
}
