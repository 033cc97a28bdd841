//! What a host measured in a minute, and what of it is worth a row. The minute is its number in the sequence: what comes twice
//! is known by it, and what is missing was not measured or got lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{KEPT_MINUTES, MinuteOf, PERIODS, REPEAT_PERIODS, Reading, Sample};
use crate::host_use::HostUse;
use crate::id::{AppId, ReplicaId};
use crate::name::ProcessType;

/// How often a reading is written again that stays about the same, in minutes.
const REPEAT_MINUTES: u64 = REPEAT_PERIODS / PERIODS;

/// What a host measured in one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostMinute {
    /// Which, in minutes since 1970 by the clock of the host.
    pub minute: u64,
    /// What its machine had in use: the mean of the processor time and the most memory.
    #[serde(default)]
    pub in_use: HostUse,
    /// What each replica used that was measured, in the same way.
    #[serde(default)]
    pub replicas: Vec<ReplicaMinute>,
}

/// What a replica used in one minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaMinute {
    /// Which replica.
    pub id: ReplicaId,
    /// Its app.
    pub app: AppId,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the type, from 1.
    pub number: u32,
    /// What it used.
    pub reading: Reading,
}

/// How far the minutes of a host were taken, and what was written last of each replica there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// The last minute that was taken; 0 before the first.
    pub minute: u64,
    /// What was written last of each replica.
    pub told: BTreeMap<ReplicaId, Told>,
}

/// What was written last of a replica, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    app: AppId,
    name: String,
    reading: Reading,
    minute: u64,
}

impl Meter {
    /// Takes the next minute of the host, and returns what is to be written of it for each app; nothing if this one or a later
    /// one was taken before. What was written before a gap does not hold in it.
    pub fn take(&mut self, of: &HostMinute) -> Option<Vec<(AppId, MinuteOf)>> {
        if of.minute <= self.minute {
            return None;
        }
        let mut rows = if self.minute == 0 { Vec::new() } else { self.unmeasured(of.minute) };
        if !rows.is_empty() {
            self.told.values_mut().for_each(|told| told.reading = Reading::default());
        }
        let mut samples: BTreeMap<AppId, Sample> = BTreeMap::new();
        let mut now = BTreeMap::new();
        for replica in &of.replicas {
            let known = self.told.remove(&replica.id).filter(|told| {
                replica.reading.is_about(&told.reading) && of.minute - told.minute < REPEAT_MINUTES
            });
            let told = known.unwrap_or_else(|| {
                let name = format!("{}.{}@{}", replica.process, replica.number, replica.id);
                let reading = replica.reading;
                samples.entry(replica.app).or_default().replicas.push((name.clone(), Some(reading)));
                Told { app: replica.app, name, reading, minute: of.minute }
            });
            now.insert(replica.id, told);
        }
        for gone in std::mem::replace(&mut self.told, now).into_values() {
            samples.entry(gone.app).or_default().replicas.push((gone.name, None));
        }
        self.minute = of.minute;
        rows.extend(samples.into_iter().map(|(app, sample)| (app, row(of.minute, sample))));
        Some(rows)
    }

    /// Returns what is to be said of the replicas of the host from the last minute that was taken to before another one: that
    /// nobody knows what they used.
    #[must_use]
    pub fn unmeasured(&self, before: u64) -> Vec<(AppId, MinuteOf)> {
        let mut apps: BTreeMap<AppId, Sample> = BTreeMap::new();
        for told in self.told.values() {
            let unknown = (told.name.clone(), Some(Reading::default()));
            apps.entry(told.app).or_default().replicas.push(unknown);
        }
        // As often as what is known, so that a window may begin anywhere.
        let first = (self.minute + 1).max(before.saturating_sub(KEPT_MINUTES));
        let minutes = (first..before).step_by(usize::try_from(REPEAT_MINUTES).unwrap_or(1));
        minutes.flat_map(|minute| apps.iter().map(move |(app, of)| (*app, row(minute, of.clone())))).collect()
    }
}

fn row(minute: u64, sample: Sample) -> MinuteOf {
    MinuteOf { minute, samples: vec![sample] }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::metrics::series;

    fn minute(minute: u64, replicas: &[(ReplicaId, AppId, u32)]) -> HostMinute {
        let replica = |(id, app, memory_mib): &(ReplicaId, AppId, u32)| ReplicaMinute {
            id: *id,
            app: *app,
            process: ProcessType::web(),
            number: 1,
            reading: Reading { millicores: Some(0), memory_mib: Some(*memory_mib) },
        };
        HostMinute { minute, replicas: replicas.iter().map(replica).collect(), ..HostMinute::default() }
    }

    #[test]
    fn an_idle_replica_is_written_when_it_comes_every_ten_minutes_and_when_it_goes() {
        let (mut meter, id, app) = (Meter::default(), ReplicaId::new(), AppId::new());
        let written: Vec<u64> = (100..125)
            .flat_map(|at| meter.take(&minute(at, &[(id, app, 40)])).unwrap())
            .map(|(_, row)| row.minute)
            .collect();
        assert_eq!(written, [100, 110, 120]);
        let gone = meter.take(&minute(125, &[])).unwrap();
        assert_eq!(gone[0].1.samples[0].replicas, [(format!("web.1@{id}"), None)]);
        assert_eq!(meter.told, BTreeMap::new());
    }

    #[test]
    fn of_two_replicas_with_one_name_the_younger_counts_and_the_end_of_the_older_changes_nothing() {
        let (mut here, mut there, app) = (Meter::default(), Meter::default(), AppId::new());
        let (old, new) = (ReplicaId::new(), ReplicaId::new());
        let mut rows = here.take(&minute(100, &[(old, app, 40)])).unwrap();
        rows.extend(there.take(&minute(101, &[(new, app, 90)])).unwrap());
        rows.extend(here.take(&minute(101, &[(old, app, 70)])).unwrap());
        rows.extend(here.take(&minute(102, &[])).unwrap());
        let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
        let found = series(&rows, 100..104);
        let memory: Vec<_> = found.replicas["web.1"].iter().map(|reading| reading.memory_mib).collect();
        assert_eq!(memory, [Some(40), Some(90), Some(90), Some(90)]);
    }

    proptest! {
        #[test]
        fn a_series_has_each_minute_that_was_taken_and_says_which_are_missing(
            measured in prop::collection::btree_map(100_u64..180, 0_u32..400, 1..60),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let (mut meter, id, app) = (Meter::default(), ReplicaId::new(), AppId::new());
            let mut rows = Vec::new();
            for (at, (number, memory)) in measured.iter().enumerate() {
                rows.extend(meter.take(&minute(*number, &[(id, app, *memory)])).unwrap());
                // What was sent once more, because its answer was lost or its sender died.
                for index in again.iter().filter(|index| index.index(measured.len()) == at) {
                    let known = *measured.keys().nth(index.index(at + 1)).unwrap();
                    prop_assert_eq!(meter.take(&minute(known, &[])), None);
                }
            }
            rows.extend(meter.unmeasured(180));
            let rows: Vec<_> = rows.into_iter().map(|(_, row)| row).collect();
            let first = *measured.keys().next().unwrap();
            let found = series(&rows, 100..180);
            for (minute, reading) in (100..180).zip(&found.replicas["web.1"]) {
                let near = |memory: &u32| reading.memory_mib.is_some_and(|m| m.abs_diff(*memory) <= 4.max(m / 10));
                prop_assert!(measured.get(&minute).map_or(*reading == Reading::default(), near), "{minute}");
            }
            let missing: BTreeSet<_> = (first..180).filter(|minute| !measured.contains_key(minute)).collect();
            prop_assert_eq!(found.missing.get("web.1").copied().unwrap_or(0), missing.len() as u64);
        }
    }
}
