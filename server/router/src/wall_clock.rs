//! The time of day as a header value, made once a millisecond however many requests arrive in it.

use http::HeaderValue;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time of day in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct WallClock {
    /// When `text` was made, in milliseconds of `clock`.
    made: Option<u64>,
    text: HeaderValue,
}

impl WallClock {
    /// Makes a clock that nobody has looked at yet.
    pub(crate) fn new() -> Self {
        Self { made: None, text: HeaderValue::from_static("0") }
    }

    /// Returns the time of day at `now` (milliseconds of `clock`).
    pub(crate) fn read(&mut self, now: u64) -> HeaderValue {
        if self.made != Some(now) {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.text = HeaderValue::from(u64::try_from(since_1970.as_millis()).unwrap_or_default());
            self.made = Some(now);
        }
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_goes_on_with_the_clock() {
        let mut clock = WallClock::new();
        let millis = |text: &HeaderValue| text.to_str().unwrap().parse::<u64>().unwrap();
        let first = clock.read(0);
        assert!(millis(&first) > 1_700_000_000_000);
        while SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() <= millis(&first).into() {}
        assert_eq!(clock.read(0), first);
        assert!(millis(&clock.read(1)) > millis(&first));
    }
}
