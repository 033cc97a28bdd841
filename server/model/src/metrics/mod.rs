//! What is counted of apps and their replicas over time: how it is added up, packed into rows, and read as series. It
//! neither counts nor stores anything.
//!
//! Time is cut into periods of ten seconds since 1970; six of them are a minute.

mod histogram;
mod minute;
mod packed;
mod reading;
mod series;
mod traffic;

pub use histogram::{BOUNDS_MS, BUCKETS, Histogram, bucket_of};
pub use minute::{HostMinute, Meter, ReplicaMinute, Told};
pub use packed::{pack, unpack};
pub use reading::Reading;
pub use series::{MinuteOf, Series, series};
pub use traffic::{CLASSES, Class, Traffic, Visits};

/// The length of a period, in seconds.
pub const PERIOD_SECONDS: u64 = 10;

/// Periods of a minute.
pub const PERIODS: u64 = 6;

/// How long rows are kept, in minutes.
pub const KEPT_MINUTES: u64 = 24 * 60;

/// How long at most a reading of a replica is not written again because it stays about the same, in periods.
pub const REPEAT_PERIODS: u64 = 10 * PERIODS;

/// What happened in one period of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Which period of its minute, from 0.
    pub slot: u64,
    /// The requests that ended in it.
    pub traffic: Traffic,
    /// Replicas whose reading changed, each by its name or, where others may have had that, by name and id, `web.1@ID`;
    /// nothing for one that is gone, a reading of nothing for one that nobody measured.
    pub replicas: Vec<(String, Option<Reading>)>,
    /// The requests of replicas by name, those that had any; several of one name are added.
    pub visits: Vec<(String, Visits)>,
}

impl Sample {
    /// Tells whether there is nothing in it worth a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.traffic.is_empty() && self.replicas.is_empty() && self.visits.is_empty()
    }
}
