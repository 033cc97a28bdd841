//! Rows of samples as series: a value for each minute of a window.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{PERIODS, REPEAT_PERIODS, Reading, Sample, Traffic, Visits};

/// How long a reading counts on: a little longer than it may be left unwritten.
const HOLD_PERIODS: u64 = REPEAT_PERIODS + PERIODS;

/// The samples of one minute of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MinuteOf {
    /// Which, in minutes since 1970.
    pub minute: u64,
    /// In any order; several of one slot are added.
    pub samples: Vec<Sample>,
}

/// What happened in each minute of a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// The first minute.
    pub from: u64,
    /// The requests of each minute.
    pub traffic: Vec<Traffic>,
    /// What each replica used in each minute: the mean of its processor time and the most memory.
    pub replicas: BTreeMap<String, Vec<Reading>>,
    /// The requests of each replica in each minute, of those that had any.
    pub visits: BTreeMap<String, Vec<Visits>>,
    /// In how many of the minutes each of them ran, as far as is known, and nobody measured it; those without any are not there.
    pub missing: BTreeMap<String, u64>,
}

/// What is known of the replicas that had one name, by their ids and so the youngest last.
type Known<'a> = BTreeMap<&'a str, BTreeMap<u64, Option<Reading>>>;

impl Series {
    /// Returns all requests of the window.
    #[must_use]
    pub fn total(&self) -> Traffic {
        let mut total = Traffic::default();
        self.traffic.iter().for_each(|minute| total += minute);
        total
    }

    /// Returns how many minutes before a window rows may still tell of replicas in it.
    #[must_use]
    pub fn lead_minutes() -> u64 {
        HOLD_PERIODS.div_ceil(PERIODS)
    }
}

/// Returns the series of a window. Minutes without a row had no requests; a reading holds until the next, or until it
/// should have been written again.
#[must_use]
pub fn series(minutes: &[MinuteOf], window: Range<u64>) -> Series {
    let mut series = Series { from: window.start, ..Series::default() };
    series.traffic = window.clone().map(|_| Traffic::default()).collect();
    let empty: Vec<Visits> = window.clone().map(|_| Visits::default()).collect();
    let mut readings: BTreeMap<&str, Known<'_>> = BTreeMap::new();
    for of in minutes {
        for sample in &of.samples {
            let at = of.minute.checked_sub(window.start).and_then(|at| usize::try_from(at).ok());
            if let Some(traffic) = at.and_then(|at| series.traffic.get_mut(at)) {
                *traffic += &sample.traffic;
            }
            for (name, visits) in &sample.visits {
                let minutes = series.visits.entry(name.clone()).or_insert_with(|| empty.clone());
                if let Some(minute) = at.and_then(|at| minutes.get_mut(at)) {
                    *minute += *visits;
                }
            }
            for (name, reading) in &sample.replicas {
                let period = of.minute * PERIODS + sample.slot.min(PERIODS - 1);
                let (name, id) = name.split_once('@').unwrap_or((name, ""));
                readings.entry(name).or_default().entry(id).or_default().insert(period, *reading);
            }
        }
    }
    series.visits.retain(|_, minutes| minutes.iter().any(|visits| visits.requests > 0));
    for (name, readings) in readings {
        let held: Vec<_> = window.clone().map(|minute| held(&readings, minute)).collect();
        if held.iter().flatten().any(|reading| *reading != Reading::default()) {
            let missing = held.iter().flatten().filter(|reading| **reading == Reading::default()).count();
            series
                .replicas
                .insert(name.to_owned(), held.into_iter().map(Option::unwrap_or_default).collect());
            if missing > 0 {
                series.missing.insert(name.to_owned(), missing as u64);
            }
        }
    }
    series
}

/// Returns what a replica used in a minute: a reading of nothing if nobody measured it, nothing if there was none.
fn held(readings: &Known<'_>, minute: u64) -> Option<Reading> {
    let periods = minute * PERIODS..(minute + 1) * PERIODS;
    let of_one = |readings: &BTreeMap<u64, Option<Reading>>, period: u64| {
        let (_, reading) = readings.range(period.saturating_sub(HOLD_PERIODS)..=period).next_back()?;
        *reading
    };
    let known = |period: u64| {
        let all = || readings.values().rev().filter_map(|readings| of_one(readings, period));
        all().find(|reading| *reading != Reading::default()).or_else(|| all().next())
    };
    let known: Vec<Reading> = periods.filter_map(known).collect();
    let used: Vec<u64> = known.iter().filter_map(|reading| reading.millicores.map(u64::from)).collect();
    let mean = used.iter().sum::<u64>().checked_div(used.len() as u64);
    (!known.is_empty()).then(|| Reading {
        millicores: mean.and_then(|mean| u32::try_from(mean).ok()),
        memory_mib: known.iter().filter_map(|reading| reading.memory_mib).max(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(millicores: u32, memory_mib: u32) -> Option<Reading> {
        Some(Reading { millicores: Some(millicores), memory_mib: Some(memory_mib) })
    }

    fn of(minute: u64, slot: u64, reading: Option<Reading>) -> MinuteOf {
        let replicas = vec![("web.1".to_owned(), reading)];
        MinuteOf { minute, samples: vec![Sample { slot, replicas, ..Sample::default() }] }
    }

    fn memory(series: &Series) -> Vec<Option<u32>> {
        series.replicas["web.1"].iter().map(|reading| reading.memory_mib).collect()
    }

    #[test]
    fn a_reading_holds_until_the_next_or_until_it_should_have_been_repeated() {
        let found = series(&[of(100, 0, reading(10, 40)), of(103, 3, reading(40, 60))], 99..106);
        assert_eq!(memory(&found)[..5], [None, Some(40), Some(40), Some(40), Some(60)]);
        assert_eq!(found.replicas["web.1"][4].millicores, Some(25), "half a minute each");
        let found = series(&[of(100, 0, reading(10, 40))], 105..115);
        assert_eq!(
            memory(&found).iter().filter(|value| value.is_some()).count(),
            7,
            "from 105 to 111: {found:?}"
        );
    }

    #[test]
    fn one_that_is_gone_uses_nothing_and_one_that_was_gone_before_is_not_shown() {
        let found = series(&[of(100, 0, reading(10, 40)), of(101, 0, None)], 100..103);
        assert_eq!(memory(&found), [Some(40), None, None]);
        assert!(series(&[of(100, 0, reading(10, 40)), of(101, 0, None)], 102..103).replicas.is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_comes_twice(rows in prop::collection::vec((0_u64..20, 0_u64..6, 0_u64..50), 0..40)) {
            let minute = |&(minute, slot, n): &(u64, u64, u64)| {
                let traffic = Traffic { classes: [n, 0, 0, 1], ..Traffic::default() };
                MinuteOf { minute, samples: vec![Sample { slot, traffic, ..Sample::default() }] }
            };
            let minutes: Vec<_> = rows.iter().map(minute).collect();
            let expected = |window: Range<u64>| -> u64 {
                rows.iter().filter(|(minute, ..)| window.contains(minute)).map(|(_, _, n)| n + 1).sum()
            };
            for window in [0..20, 5..9, 7..7] {
                let found = series(&minutes, window.clone());
                prop_assert_eq!(found.traffic.len() as u64, window.end - window.start);
                prop_assert_eq!(found.total().requests(), expected(window));
            }
        }
    }
}
