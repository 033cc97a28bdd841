//! Measurements of one minute as one: the mean of the processor time and the most memory.

use std::collections::BTreeMap;

use model::host_use::{HostUse, Share};
use model::id::ReplicaId;
use model::metrics::{HostMinute, Reading, ReplicaMinute};

/// What was measured so far in a minute.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    minute: u64,
    cpu: Mean,
    in_use: HostUse,
    replicas: BTreeMap<ReplicaId, (Mean, ReplicaMinute)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: u64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<u64>) -> Option<u64> {
        if let Some(value) = value {
            self.sum = self.sum.saturating_add(value);
            self.count += 1;
        }
        self.sum.checked_div(self.count)
    }
}

impl Gathered {
    /// Adds a measurement, and returns what its minute comes to so far.
    pub(crate) fn add(&mut self, measured: HostMinute) -> HostMinute {
        if self.minute != measured.minute {
            *self = Self { minute: measured.minute, ..Self::default() };
        }
        let HostUse { cpu_millicores: cpu, memory_bytes: memory } = measured.in_use;
        let used = self.cpu.add(cpu.map(|cpu| cpu.used));
        let of = cpu.or(self.in_use.cpu_millicores);
        self.in_use.cpu_millicores = used.zip(of).map(|(used, Share { of, .. })| Share { used, of });
        let most = [self.in_use.memory_bytes, memory].into_iter().flatten().max_by_key(|memory| memory.used);
        self.in_use.memory_bytes = most;
        for now in measured.replicas {
            let (mean, so_far) =
                self.replicas.entry(now.id).or_insert_with(|| (Mean::default(), now.clone()));
            let millicores = mean.add(now.reading.millicores.map(u64::from));
            so_far.reading = Reading {
                millicores: millicores.and_then(|mean| u32::try_from(mean).ok()),
                memory_mib: so_far.reading.memory_mib.max(now.reading.memory_mib),
            };
        }
        let replicas = self.replicas.values().map(|(_, replica)| replica.clone()).collect();
        HostMinute { minute: self.minute, in_use: self.in_use, replicas }
    }
}

#[cfg(test)]
mod tests {
    use model::id::AppId;
    use model::name::ProcessType;

    use super::*;

    #[test]
    fn a_minute_is_the_mean_of_the_processor_time_and_the_most_memory() {
        let (id, app) = (ReplicaId::new(), AppId::new());
        let measured = |minute, cpu: Option<u32>, memory_mib| HostMinute {
            minute,
            in_use: HostUse {
                cpu_millicores: cpu.map(|cpu| Share { used: cpu.into(), of: 4_000 }),
                memory_bytes: Some(Share { used: memory_mib, of: 1 << 30 }),
            },
            replicas: vec![ReplicaMinute {
                id,
                app,
                process: ProcessType::web(),
                number: 1,
                reading: Reading { millicores: cpu, memory_mib: u32::try_from(memory_mib).ok() },
            }],
        };
        let mut gathered = Gathered::default();
        assert_eq!(gathered.add(measured(7, None, 40)), measured(7, None, 40), "a rate needs two looks");
        gathered.add(measured(7, Some(100), 90));
        assert_eq!(gathered.add(measured(7, Some(300), 50)), measured(7, Some(200), 90));
        assert_eq!(gathered.add(measured(8, Some(300), 50)), measured(8, Some(300), 50), "another one");
    }
}
