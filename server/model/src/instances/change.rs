//! Changes to what was decided about the fleet. Each is judged before it is taken, so that what is stored makes sense.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::machine::Architecture;
use super::schedule::{Hours, Schedule};
use super::settings::{Bounds, InstanceType, Settings};

/// Most hosts of a zone: what one control plane was tried out with.
pub const HOSTS_MAX: u32 = 1_000;

/// Most that is kept free, in hundredths of what replicas claim.
pub const HEADROOM_MAX: u32 = 400;

/// Most hosts that may be replaced within an hour.
pub const REPLACED_MAX: u32 = 10_000;

/// Longest that hosts which are not needed stay.
const PATIENCE_MAX: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Shortest and longest that an instance may take to become a host: what no machine is fast enough for ends each that is started, and a
/// launch lets nobody join half an hour after it was decided.
const BOOT: RangeInclusive<SignedDuration> = SignedDuration::from_mins(1)..=SignedDuration::from_mins(20);

/// Most types and most schedules.
const LIST_MAX: usize = 20;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// How many hosts a zone has at least and at most.
    Bounds {
        /// Which zone; all of them if none is named.
        zone: Option<String>,
        /// The fewest, if that changes.
        min: Option<u32>,
        /// The most, if that changes.
        max: Option<u32>,
    },
    /// Which types of instance are used, the preferred first.
    Types(Vec<InstanceType>),
    /// Whether spot instances are tried first.
    Spot(bool),
    /// How much is kept free, in hundredths of what replicas claim.
    Headroom(u32),
    /// How many hosts are replaced within an hour at most.
    ReplacedPerHour(u32),
    /// How long fewer hosts must suffice before one goes.
    Patience(SignedDuration),
    /// How long an instance may take until a host joined from it.
    Boot(SignedDuration),
    /// More hosts at some times, in place of what was said of the same times.
    Schedule(Schedule),
    /// No more of that.
    Unschedule {
        /// The times.
        when: Hours,
        /// The time zone they are meant in; any if none is named.
        time_zone: Option<String>,
    },
}

/// A change that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// The fleet has no such zone.
    #[error("the fleet has no zone `{given}`; its zones are {known}")]
    NoZone {
        /// What was said.
        given: String,
        /// Those that there are.
        known: String,
    },
    /// More at least than at most.
    #[error("{zone} would have {min} hosts at least and {max} at most")]
    MinAboveMax {
        /// Where.
        zone: String,
        /// The fewest.
        min: u32,
        /// The most.
        max: u32,
    },
    /// More than can be.
    #[error("a zone has {HOSTS_MAX} hosts at most, not {0}")]
    TooManyHosts(u32),
    /// No type at all.
    #[error("the fleet needs one type of instance at least")]
    NoTypes,
    /// More than anybody needs.
    #[error("{0} are too many; {LIST_MAX} are allowed")]
    TooMany(&'static str),
    /// The same type twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// One image cannot boot on both.
    #[error("{0} and {1} have processors of different kinds, and hosts are made of one image")]
    Mixed(String, String),
    /// More than can be useful.
    #[error("the room kept free is {HEADROOM_MAX} % of what replicas claim at most, not {0} %")]
    TooMuchHeadroom(u32),
    /// None, or more than any fleet has.
    #[error("from 1 to {REPLACED_MAX} hosts may be replaced within an hour, not {0}")]
    ReplacedPerHour(u32),
    /// Longer than anybody pays for nothing.
    #[error("hosts that are not needed stay for a week at most")]
    TooPatient,
    /// Shorter than any machine takes, or longer than a launch is good for.
    #[error("an instance may take from 1 to 20 minutes until a host joins from it")]
    Boot,
    /// More than any zone may have.
    #[error("no zone may have {min} hosts: the most is {max}")]
    ScheduleAboveMax {
        /// What was said.
        min: u32,
        /// The most of all zones.
        max: u32,
    },
    /// Nothing was said of these times.
    #[error("there is no schedule for {0}")]
    NoSchedule(String),
}

impl Settings {
    /// Returns what holds after a change.
    ///
    /// # Errors
    /// What makes no sense about it.
    pub fn changed(mut self, change: Change) -> Result<Self, BadChange> {
        match change {
            Change::Bounds { zone, min, max } => self.bound(zone.as_deref(), min, max)?,
            Change::Types(types) => {
                judge(&types)?;
                self.types = types;
            }
            Change::Spot(spot) => self.spot = spot,
            Change::Headroom(percent) if percent > HEADROOM_MAX => {
                return Err(BadChange::TooMuchHeadroom(percent));
            }
            Change::Headroom(percent) => self.headroom_percent = percent,
            Change::ReplacedPerHour(hosts) if !(1..=REPLACED_MAX).contains(&hosts) => {
                return Err(BadChange::ReplacedPerHour(hosts));
            }
            Change::ReplacedPerHour(hosts) => self.replaced_per_hour = hosts,
            Change::Patience(patience) if patience > PATIENCE_MAX => return Err(BadChange::TooPatient),
            Change::Patience(patience) => self.patience = patience,
            Change::Boot(boot) if !BOOT.contains(&boot) => return Err(BadChange::Boot),
            Change::Boot(boot) => self.boot = boot,
            Change::Schedule(schedule) => self.schedule(schedule)?,
            Change::Unschedule { when, time_zone } => self.unschedule(when, time_zone.as_deref())?,
        }
        Ok(self)
    }

    fn bound(&mut self, zone: Option<&str>, min: Option<u32>, max: Option<u32>) -> Result<(), BadChange> {
        if let Some(given) = zone.filter(|zone| !self.zones.contains_key(*zone)) {
            let known = self.zones.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(BadChange::NoZone { given: given.escape_debug().to_string(), known });
        }
        for (name, bounds) in self.zones.iter_mut().filter(|(name, _)| zone.is_none_or(|zone| zone == *name))
        {
            (bounds.min, bounds.max) = (min.unwrap_or(bounds.min), max.unwrap_or(bounds.max));
            if bounds.max > HOSTS_MAX {
                return Err(BadChange::TooManyHosts(bounds.max));
            }
            if bounds.min > bounds.max {
                return Err(BadChange::MinAboveMax { zone: name.clone(), min: bounds.min, max: bounds.max });
            }
        }
        Ok(())
    }

    fn schedule(&mut self, new: Schedule) -> Result<(), BadChange> {
        let max = self.zones.values().map(|bounds| bounds.max).max().unwrap_or_default();
        if new.min > max {
            return Err(BadChange::ScheduleAboveMax { min: new.min, max });
        }
        self.schedules.retain(|old| (old.when, &old.time_zone) != (new.when, &new.time_zone));
        if self.schedules.len() >= LIST_MAX {
            return Err(BadChange::TooMany("schedules"));
        }
        self.schedules.push(new);
        Ok(())
    }

    fn unschedule(&mut self, when: Hours, time_zone: Option<&str>) -> Result<(), BadChange> {
        let before = self.schedules.len();
        let meant = |schedule: &Schedule| {
            schedule.when == when && time_zone.is_none_or(|zone| schedule.time_zone == zone)
        };
        self.schedules.retain(|schedule| !meant(schedule));
        if self.schedules.len() == before {
            let zone = time_zone.map(|zone| format!(" {}", zone.escape_debug())).unwrap_or_default();
            return Err(BadChange::NoSchedule(format!("{when}{zone}")));
        }
        Ok(())
    }

    /// Takes note of zones that were set up since, and returns these. No host is started there before somebody says how many.
    pub fn add_zones(&mut self, set_up: &[String]) -> Vec<String> {
        let new: Vec<String> =
            set_up.iter().filter(|zone| !self.zones.contains_key(*zone)).cloned().collect();
        self.zones.extend(new.iter().map(|zone| (zone.clone(), Bounds { min: 0, max: 0 })));
        new
    }

    /// Returns the fewest hosts that a zone has when all that was said of it holds at once.
    #[must_use]
    pub fn busiest_min(&self, zone: &str) -> u32 {
        let Some(bounds) = self.zones.get(zone) else { return 0 };
        self.schedules.iter().map(|schedule| schedule.min).fold(bounds.min, u32::max).min(bounds.max)
    }
}

fn judge(types: &[InstanceType]) -> Result<(), BadChange> {
    let first = types.first().ok_or(BadChange::NoTypes)?;
    if types.len() > LIST_MAX {
        return Err(BadChange::TooMany("types"));
    }
    for (at, one) in types.iter().enumerate() {
        if types[..at].iter().any(|other| other.name == one.name) {
            return Err(BadChange::Twice(one.name.clone()));
        }
        if Architecture::of(&one.name) != Architecture::of(&first.name) {
            return Err(BadChange::Mixed(first.name.clone(), one.name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::instances::toy::settings;

    fn present() -> Settings {
        settings(&["a", "b"], 1, 3)
    }

    fn bounds(zone: Option<&str>, min: Option<u32>, max: Option<u32>) -> Change {
        Change::Bounds { zone: zone.map(str::to_owned), min, max }
    }

    fn schedule(text: &str, min: u32) -> Schedule {
        Schedule::new(text.parse().unwrap(), "UTC", min).unwrap()
    }

    #[test]
    fn bounds_change_in_one_zone_or_in_all_and_what_is_not_said_stays() {
        let one = present().changed(bounds(Some("b"), None, Some(7))).unwrap();
        assert_eq!((one.zones["a"].max, one.zones["b"].max, one.zones["b"].min), (3, 7, 1));
        let all = present().changed(bounds(None, Some(2), None)).unwrap();
        assert!(all.zones.values().all(|bounds| (bounds.min, bounds.max) == (2, 3)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let refused = |change: Change| present().changed(change).unwrap_err().to_string();
        assert_eq!(refused(bounds(Some("x"), None, None)), "the fleet has no zone `x`; its zones are a, b");
        assert_eq!(refused(bounds(None, Some(4), None)), "a would have 4 hosts at least and 3 at most");
        assert_eq!(refused(bounds(None, None, Some(1_001))), "a zone has 1000 hosts at most, not 1001");
        assert_eq!(refused(Change::Types(Vec::new())), "the fleet needs one type of instance at least");
        let types = |names: &[&str]| Change::Types(names.iter().map(|name| name.parse().unwrap()).collect());
        assert_eq!(refused(types(&["m7g.large", "m7g.large"])), "m7g.large is named twice");
        assert!(refused(types(&["m7g.large", "m6i.large"])).contains("processors of different kinds"));
        assert!(refused(Change::Headroom(401)).contains("400 %"));
        assert!(refused(Change::ReplacedPerHour(0)).contains("from 1 to 10000 hosts"));
        assert!(refused(Change::ReplacedPerHour(10_001)).ends_with("not 10001"));
        assert!(refused(Change::Patience(SignedDuration::from_hours(169))).contains("a week at most"));
        assert_eq!(
            refused(Change::Schedule(schedule("daily 8-20", 4))),
            "no zone may have 4 hosts: the most is 3"
        );
        let gone = Change::Unschedule { when: "daily 8-20".parse().unwrap(), time_zone: None };
        assert_eq!(refused(gone), "there is no schedule for daily 8:00-20:00");
    }

    #[test]
    fn a_zone_that_is_set_up_later_has_hosts_once_that_is_said() {
        let mut settings = present();
        assert_eq!(settings.add_zones(&["a".to_owned(), "c".to_owned()]), ["c"]);
        assert_eq!(settings.add_zones(&["c".to_owned()]), [""; 0]);
        assert_eq!(settings.zones["a"], present().zones["a"]);
        assert_eq!(settings.busiest_min("c"), 0);
        let settings = settings.changed(bounds(Some("c"), Some(1), Some(3))).unwrap();
        assert_eq!(settings.zones["c"], Bounds { min: 1, max: 3 });
    }

    #[test]
    fn how_many_are_replaced_within_an_hour_is_what_was_said_last() {
        let changed = present().changed(Change::ReplacedPerHour(120)).unwrap();
        assert_eq!(Settings { replaced_per_hour: 120, ..present() }, changed);
    }

    #[test]
    fn how_long_hosts_that_are_not_needed_stay_may_be_no_time_at_all() {
        let patience = |length| present().changed(Change::Patience(length)).unwrap().patience;
        assert_eq!(patience(SignedDuration::from_mins(30)), SignedDuration::from_mins(30));
        assert_eq!(patience(SignedDuration::ZERO), SignedDuration::ZERO);
    }

    #[test]
    fn an_instance_may_take_some_minutes_to_become_a_host_and_no_longer_than_its_launch_is_good_for() {
        let boot = |seconds| present().changed(Change::Boot(SignedDuration::from_secs(seconds)));
        assert_eq!(boot(90).unwrap(), Settings { boot: SignedDuration::from_secs(90), ..present() });
        assert_eq!((boot(59), boot(1_201)), (Err(BadChange::Boot), Err(BadChange::Boot)));
        let before = serde_json::to_value(present()).map(|mut settings| {
            settings.as_object_mut().unwrap().remove("boot");
            settings
        });
        let read: Settings = serde_json::from_value(before.unwrap()).unwrap();
        assert_eq!(read.boot, SignedDuration::from_mins(10), "nobody had said anything before");
    }

    #[test]
    fn a_schedule_takes_the_place_of_one_for_the_same_times_and_is_removed_by_them() {
        let two = [("weekdays 8-20", 2), ("Mon-Fri 8-20", 3), ("sat 8-20", 2)];
        let add = |settings: Settings, (text, min)| {
            settings.changed(Change::Schedule(schedule(text, min))).unwrap()
        };
        let with = two.into_iter().fold(present(), add);
        assert_eq!(with.schedules.iter().map(|schedule| schedule.min).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(with.busiest_min("a"), 3);
        let gone =
            Change::Unschedule { when: "weekdays 8-20".parse().unwrap(), time_zone: Some("UTC".to_owned()) };
        assert_eq!(with.changed(gone).unwrap().schedules.len(), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_keeps_the_least_below_the_most(
            changes in prop::collection::vec((0usize..3, prop::option::of(0u32..12), prop::option::of(0u32..12)), 0..20),
        ) {
            let zone = |at: usize| ["a", "b"].get(at).copied();
            let settings = changes.into_iter().fold(present(), |settings, (at, min, max)| {
                settings.clone().changed(bounds(zone(at), min, max)).unwrap_or(settings)
            });
            prop_assert!(settings.zones.values().all(|bounds| bounds.min <= bounds.max));
        }
    }
}
