//! Times of the week at which more hosts are kept: `weekdays 8-20`. It says when, not what is done then.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// A time of the week, and the fewest hosts of each zone during it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The time.
    pub when: Hours,
    /// The time zone it is meant in, such as `Europe/Berlin`.
    pub time_zone: String,
    /// The fewest hosts in each zone.
    pub min: u32,
}

impl Schedule {
    /// Makes one.
    ///
    /// # Errors
    /// A time zone that is not known here, as a sentence.
    pub fn new(when: Hours, time_zone: &str, min: u32) -> Result<Self, String> {
        match TimeZone::get(time_zone) {
            Ok(_) => Ok(Self { when, time_zone: time_zone.to_owned(), min }),
            Err(_) => Err(format!(
                "there is no time zone `{}`; one is called `Europe/Berlin` or `UTC`",
                time_zone.escape_debug()
            )),
        }
    }

    /// Tells whether it is that time now. Without its time zone, which was there once, it is taken in UTC.
    #[must_use]
    pub fn is_on(&self, now: Timestamp) -> bool {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        self.when.contain(&now.to_zoned(zone))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, at least {} in each zone", self.when, self.time_zone, self.min)
    }
}

/// Some hours of some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// By number: Monday is the first.
    days: [bool; 7],
    /// Minutes from midnight.
    from: u16,
    /// The first minute that does not belong to it; not after `from` where it ends on the next day.
    to: u16,
}

/// A text that is no time of the week.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time of the week; one is `weekdays 8-20`, `weekends 10-16`, `daily 22-6` or `mon-thu,sat 8:30-17`"
)]
pub struct BadHours(String);

const DAY: u16 = 24 * 60;

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Hours {
    /// Tells whether a moment is in it. Hours that go past midnight belong to the day on which they begin.
    #[must_use]
    pub fn contain(&self, at: &Zoned) -> bool {
        let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0);
        let today = self.days[index(at.weekday())];
        if self.from < self.to {
            return today && (self.from..self.to).contains(&minute);
        }
        let yesterday = self.days[(index(at.weekday()) + 6) % 7];
        (today && minute >= self.from) || (yesterday && minute < self.to)
    }
}

fn index(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)
}

impl FromStr for Hours {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, BadHours> {
        let bad =
            || BadHours(text.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect());
        let lower = text.to_ascii_lowercase();
        let (days, hours) = lower.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
        let (from, to) = hours.trim().split_once('-').ok_or_else(bad)?;
        let read = || Some((days_of(days)?, minute_of(from)?, minute_of(to)?));
        let (days, from, to) = read().ok_or_else(bad)?;
        if from == to || from == DAY {
            return Err(bad());
        }
        // A day that ends at midnight ends on that day.
        let to = if to == 0 { DAY } else { to };
        Ok(Self { days, from, to })
    }
}

fn days_of(text: &str) -> Option<[bool; 7]> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part {
            "daily" => (0, 6),
            "weekdays" => (0, 4),
            "weekends" => (5, 6),
            _ => match part.split_once('-') {
                Some((first, last)) => (day_of(first)?, day_of(last)?),
                None => (day_of(part)?, day_of(part)?),
            },
        };
        // `fri-mon` goes over the weekend.
        let length = (last + 7 - first) % 7;
        (first..=first + length).for_each(|day| days[day % 7] = true);
    }
    Some(days)
}

fn day_of(text: &str) -> Option<usize> {
    NAMES.iter().position(|name| *name == text)
}

fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, "0"));
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour * 60 + minute;
    (minute < 60 && at <= DAY).then_some(at)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = match self.days {
            [true, true, true, true, true, true, true] => "daily".to_owned(),
            [true, true, true, true, true, false, false] => "weekdays".to_owned(),
            [false, false, false, false, false, true, true] => "weekends".to_owned(),
            days => {
                let named = NAMES.iter().zip(days).filter(|(_, on)| *on).map(|(name, _)| *name);
                named.collect::<Vec<_>>().join(",")
            }
        };
        let time = |minute: u16| format!("{}:{:02}", minute / 60, minute % 60);
        write!(f, "{days} {}-{}", time(self.from), time(self.to))
    }
}

impl TryFrom<String> for Hours {
    type Error = BadHours;

    fn try_from(text: String) -> Result<Self, BadHours> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(text: &str) -> Hours {
        text.parse().unwrap()
    }

    /// 2026-11-21 is a Saturday.
    fn at(day: i8, hour: i8, minute: i8) -> Zoned {
        jiff::civil::date(2026, 11, day).at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).unwrap()
    }

    #[test]
    fn weekdays_from_eight_to_eight_are_that() {
        let office = hours("weekdays 8-20");
        assert!(office.contain(&at(20, 8, 0)) && office.contain(&at(20, 19, 59)));
        assert!(!office.contain(&at(20, 7, 59)) && !office.contain(&at(20, 20, 0)));
        assert!(!office.contain(&at(21, 12, 0)));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let friday = hours("fri 22-6");
        assert!(friday.contain(&at(20, 23, 0)) && friday.contain(&at(21, 5, 59)));
        assert!(
            !friday.contain(&at(21, 6, 0))
                && !friday.contain(&at(21, 23, 0))
                && !friday.contain(&at(20, 5, 0))
        );
        assert!(hours("sun 20-24").contain(&at(22, 23, 59)));
        assert!(!hours("sun 20-0").contain(&at(23, 0, 0)));
    }

    #[test]
    fn the_same_hours_are_said_in_several_ways_and_shown_in_one() {
        for (text, shown) in [
            ("Mon-Fri 8-20", "weekdays 8:00-20:00"),
            ("sat,sun 10:30-16", "weekends 10:30-16:00"),
            ("fri-mon 0-24", "mon,fri,sat,sun 0:00-24:00"),
            ("weekdays,sat 9-17", "mon,tue,wed,thu,fri,sat 9:00-17:00"),
        ] {
            assert_eq!(hours(text).to_string(), shown);
        }
        for bad in
            ["", "weekdays", "weekdays 8", "8-20", "weekdays 8-25", "noday 8-20", "daily 8-8", "daily 24-6"]
        {
            assert!(bad.parse::<Hours>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_schedule_is_meant_in_its_time_zone_also_in_summer() {
        let schedule = Schedule::new(hours("weekdays 8-20"), "Europe/Berlin", 4).unwrap();
        let winter = jiff::civil::date(2026, 11, 20).at(7, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let summer = jiff::civil::date(2026, 7, 3).at(6, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        assert!(schedule.is_on(winter.timestamp()) && schedule.is_on(summer.timestamp()));
        assert!(!schedule.is_on(winter.timestamp() - jiff::SignedDuration::from_secs(1)));
        assert!(Schedule::new(hours("daily 1-2"), "Mars/Olympus", 1).is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(days in prop::collection::vec(any::<bool>(), 7), from in 0u16..DAY, to in 1u16..=DAY) {
            let days: [bool; 7] = days.try_into().unwrap();
            prop_assume!(from != to && days.contains(&true));
            let hours = Hours { days, from, to };
            prop_assert_eq!(hours.to_string().parse::<Hours>().unwrap(), hours);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,30}") {
            let _ = text.parse::<Hours>();
        }
    }
}
