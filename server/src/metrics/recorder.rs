//! Turns counts that only grow into samples of ten seconds, and gathers them until their minute is written. What did not
//! change is left out: an app without requests whose replicas do nothing costs a row in ten minutes.

use std::collections::BTreeMap;

use model::id::{AppId, ReplicaId};
use model::metrics::{MinuteOf, PERIODS, REPEAT_PERIODS, Reading, Sample, Traffic, Visits};

/// Most minutes that wait to be written while the database fails.
const WAITING_MINUTES: u64 = 60;

/// What is seen at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    /// What was counted of each app so far.
    pub(super) traffic: Vec<(AppId, Traffic)>,
    /// What each replica uses, by its app and name.
    pub(super) readings: BTreeMap<(AppId, String), Reading>,
    /// What was counted of each replica so far, with its app and name.
    pub(super) visits: BTreeMap<ReplicaId, (AppId, String, Visits)>,
}

/// What was seen last, and what is not written yet.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    counted: BTreeMap<AppId, Traffic>,
    visited: BTreeMap<ReplicaId, Visits>,
    /// Readings as they were written last, and in which period.
    readings: BTreeMap<(AppId, String), (Reading, u64)>,
    pending: BTreeMap<u64, BTreeMap<AppId, Vec<Sample>>>,
}

impl Recorder {
    /// Takes note of what is seen at the end of a period.
    pub(super) fn note(&mut self, period: u64, observed: Observed) {
        let mut samples: BTreeMap<AppId, Sample> = BTreeMap::new();
        let slot = period % PERIODS;
        let empty = || Sample { slot, ..Sample::default() };
        let mut counted = BTreeMap::new();
        for (app, total) in observed.traffic {
            let before = self.counted.get(&app).copied().unwrap_or_default();
            let traffic = total.since(&before);
            if !traffic.is_empty() {
                samples.entry(app).or_insert_with(empty).traffic = traffic;
            }
            counted.insert(app, total);
        }
        self.counted = counted;
        let mut visited = BTreeMap::new();
        for (id, (app, name, total)) in observed.visits {
            let visits = total.since(&self.visited.get(&id).copied().unwrap_or_default());
            if visits != Visits::default() {
                samples.entry(app).or_insert_with(empty).visits.push((name, visits));
            }
            visited.insert(id, total);
        }
        self.visited = visited;
        let gone: Vec<_> =
            self.readings.keys().filter(|key| !observed.readings.contains_key(key)).cloned().collect();
        for key in gone {
            self.readings.remove(&key);
            samples.entry(key.0).or_insert_with(empty).replicas.push((key.1, None));
        }
        for (key, reading) in observed.readings {
            let known = self.readings.get(&key);
            if known.is_some_and(|(before, at)| {
                reading.is_about(before) && period.saturating_sub(*at) < REPEAT_PERIODS
            }) {
                continue;
            }
            samples.entry(key.0).or_insert_with(empty).replicas.push((key.1.clone(), Some(reading)));
            self.readings.insert(key, (reading, period));
        }
        let minute = self.pending.entry(period / PERIODS).or_default();
        for (app, sample) in samples {
            minute.entry(app).or_default().push(sample);
        }
        self.pending.retain(|minute, apps| !apps.is_empty() && minute + WAITING_MINUTES > period / PERIODS);
    }

    /// Returns the minutes before one, with what is to be written of them.
    pub(super) fn finished(&self, before: u64) -> Vec<(u64, BTreeMap<AppId, Vec<Sample>>)> {
        self.pending.range(..before).map(|(minute, apps)| (*minute, apps.clone())).collect()
    }

    /// Forgets the minutes before one: they are written.
    pub(super) fn forget(&mut self, before: u64) {
        self.pending = self.pending.split_off(&before);
    }

    /// Returns what is not written yet of an app.
    pub(super) fn pending(&self, app: AppId) -> Vec<MinuteOf> {
        let of = |(minute, apps): (&u64, &BTreeMap<AppId, Vec<Sample>>)| {
            Some(MinuteOf { minute: *minute, samples: apps.get(&app)?.clone() })
        };
        self.pending.iter().filter_map(of).collect()
    }

    /// Returns how many requests of each app are not written yet.
    pub(super) fn pending_requests(&self) -> BTreeMap<AppId, u64> {
        let mut requests = BTreeMap::new();
        for (app, samples) in self.pending.values().flatten() {
            let count: u64 = samples.iter().map(|sample| sample.traffic.requests()).sum();
            *requests.entry(*app).or_default() += count;
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(app: AppId, requests: u64) -> Observed {
        let traffic = Traffic { classes: [requests, 0, 0, 0], ..Traffic::default() };
        Observed { traffic: vec![(app, traffic)], ..Observed::default() }
    }

    fn reading(app: AppId, memory_mib: u32) -> Observed {
        let reading = Reading { millicores: Some(0), memory_mib: Some(memory_mib) };
        Observed { readings: BTreeMap::from([((app, "web.1".to_owned()), reading)]), ..Observed::default() }
    }

    fn requests(recorder: &Recorder, app: AppId) -> Vec<(u64, Vec<u64>)> {
        let of = |minute: MinuteOf| {
            (minute.minute, minute.samples.iter().map(|sample| sample.traffic.requests()).collect())
        };
        recorder.pending(app).into_iter().map(of).collect()
    }

    #[test]
    fn a_sample_is_what_was_added_since_the_last_and_nothing_where_nothing_was() {
        let (mut recorder, app) = (Recorder::default(), AppId::new());
        for (period, total) in [(60, 5), (61, 5), (62, 9), (66, 10)] {
            recorder.note(period, counted(app, total));
        }
        assert_eq!(requests(&recorder, app), [(10, vec![5, 4]), (11, vec![1])]);
        assert_eq!(recorder.pending_requests()[&app], 10);
        assert_eq!(recorder.finished(11).len(), 1);
        recorder.forget(11);
        assert_eq!(requests(&recorder, app), [(11, vec![1])], "a minute under way waits");
    }

    #[test]
    fn requests_of_a_replica_are_what_was_added_and_all_of_them_where_its_count_began_anew() {
        let (mut recorder, app, id) = (Recorder::default(), AppId::new(), ReplicaId::new());
        for (period, requests, errors) in [(60, 5, 1), (61, 9, 1), (62, 9, 1), (63, 2, 2)] {
            let visits = BTreeMap::from([(id, (app, "web.1".to_owned(), Visits { requests, errors }))]);
            recorder.note(period, Observed { visits, ..Observed::default() });
        }
        let minutes = recorder.pending(app);
        let visits = minutes.iter().flat_map(|of| &of.samples).flat_map(|sample| &sample.visits);
        let visits: Vec<_> = visits.map(|(_, visits)| (visits.requests, visits.errors)).collect();
        assert_eq!(visits, [(5, 1), (4, 0), (2, 2)]);
    }

    #[test]
    fn an_idle_replica_is_written_when_it_comes_every_ten_minutes_and_when_it_goes() {
        let (mut recorder, app) = (Recorder::default(), AppId::new());
        for period in 0..130 {
            recorder.note(period, reading(app, 40 + u32::try_from(period % 3).unwrap()));
            recorder.note(period, Observed { traffic: vec![(app, Traffic::default())], ..reading(app, 41) });
        }
        recorder.note(130, Observed::default());
        let minutes = recorder.pending(app);
        let told: Vec<_> = minutes.iter().flat_map(|of| &of.samples).map(|sample| &sample.replicas).collect();
        assert_eq!(told.len(), 4, "at 0, 60 and 120, and its end: {told:?}");
        assert_eq!(told[3][0], ("web.1".to_owned(), None));
    }

    #[test]
    fn a_database_that_fails_for_long_does_not_fill_the_memory() {
        let (mut recorder, app) = (Recorder::default(), AppId::new());
        for period in 0..6 * 100 {
            recorder.note(period, counted(app, period + 1));
        }
        assert_eq!(recorder.finished(1_000).len(), 60);
    }
}
