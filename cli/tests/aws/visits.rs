//! Visitors who come through the load balancer while something is done.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::platform::{HOST, Platform};

/// Visitors a second.
const RATE: &str = "200";

/// What came of visitors.
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) who: Vec<String>,
    /// When each came, in seconds, and what went wrong.
    pub(crate) failed: Vec<Value>,
    /// When the first one came, in seconds of Unix time.
    opened: f64,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn assert_none_failed(&self) {
        assert!(self.answered > 0 && self.failed.is_empty(), "{:?}", self.failed);
    }

    /// Returns how long after a moment the last of those came who failed, in seconds.
    pub(crate) fn failed_until(&self, moment: SystemTime) -> f64 {
        let moment = moment.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let came = self.failed.iter().filter_map(|failure| failure[0].as_f64());
        came.fold(0.0, |last, came| f64::max(last, self.opened + came - moment))
    }
}

impl Platform {
    /// Does something while visitors come; returns what they were answered.
    pub(crate) fn during(&self, what: &str, change: impl FnOnce()) -> Outcome {
        self.during_with(RATE, "", what, change)
    }

    /// The same with so many visitors a second.
    pub(crate) fn during_at(&self, rate: &str, what: &str, change: impl FnOnce()) -> Outcome {
        self.during_with(rate, "", what, change)
    }

    /// The same; visitors enter in other zones than this one, as they do when its address is out of DNS.
    pub(crate) fn during_elsewhere(&self, zone: &str, what: &str, change: impl FnOnce()) -> Outcome {
        self.during_with(RATE, zone, what, change)
    }

    fn during_with(&self, rate: &str, zone: &str, what: &str, change: impl FnOnce()) -> Outcome {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/visitors.py");
        let mut words = vec![script.to_str().unwrap(), HOST, rate];
        words.extend(self.entrances.iter().filter(|(_, of)| of != zone).map(|(address, _)| address.as_str()));
        let mut visitors = self.cloud.program("/usr/bin/python3", &words);
        let visitors: Child = visitors.stdin(Stdio::piped()).spawn().unwrap();
        change();
        let output = visitors.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
        let answered = seen["answered"].as_object().unwrap();
        let count = answered.values().filter_map(Value::as_u64).sum();
        let failed: Vec<_> = seen["failed"].as_array().unwrap().clone();
        let seconds = seen["seconds"].as_f64().unwrap();
        eprintln!("{what}: {count} answered, {} failed, {seconds:.0} s", failed.len());
        let opened = seen["opened"].as_f64().unwrap();
        Outcome { answered: count, who: answered.keys().cloned().collect(), failed, opened }
    }
}
