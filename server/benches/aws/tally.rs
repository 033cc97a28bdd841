//! The calls of the server in some time, beside what AWS grants an account.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::sky::Sky;
use crate::{KEY, row};

/// AWS's buckets: the first that fits counts. How many calls a second each is refilled with is published for EC2 ("Request throttling
/// for the Amazon EC2 API") and for `ELBv2` as the defaults of aws-load-balancer-controller; of the rest nothing is.
const BUCKETS: [(&str, &str, &[&str], f64); 7] = [
    ("ec2 RunInstances", "ec2", &["RunInstances"], 2.0),
    ("ec2 TerminateInstances", "ec2", &["TerminateInstances"], 5.0),
    ("ec2 CreateTags", "ec2", &["CreateTags"], 10.0),
    ("ec2 Describe…", "ec2", &["Describe", "Get"], 20.0),
    ("ec2 others", "ec2", &[""], 5.0),
    ("elb RegisterTargets, DeregisterTargets", "elasticloadbalancing", &["Register", "Deregister"], 4.0),
    ("elb others", "elasticloadbalancing", &[""], 10.0),
];

/// Calls are counted from a moment on.
pub(crate) struct Tally {
    after: u64,
    began: Instant,
}

/// What was counted.
pub(crate) struct Calls {
    took: Duration,
    calls: Vec<Value>,
}

impl Tally {
    pub(crate) fn start(sky: &Sky) -> Self {
        let last = sky.calls(0).last().and_then(|call| call["number"].as_u64());
        Self { after: last.unwrap_or(0), began: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn finish(&self, sky: &Sky) -> Calls {
        let took = self.elapsed();
        let calls = sky.calls(self.after).into_iter().filter(|call| call["key_id"] == KEY);
        Calls { took, calls: calls.collect() }
    }
}

impl Calls {
    pub(crate) fn minutes(&self) -> f64 {
        self.took.as_secs_f64() / 60.0
    }

    /// Prints each name with its calls a minute, and each bucket with its share of what AWS grants, on average and in the busiest
    /// minute.
    pub(crate) fn print(&self, phase: &str) {
        let refused = self
            .calls
            .iter()
            .filter(|call| matches!(call["code"].as_str(), Some("RequestLimitExceeded" | "Throttling")));
        let (count, refused) = (self.calls.len(), refused.count());
        row(
            &format!("calls, {phase}"),
            &format!("{count} in {:.1} min, {refused} refused as too many", self.minutes()),
        );
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for call in &self.calls {
            *names.entry(format!("{} {}", text(call, "service"), text(call, "action"))).or_default() += 1;
        }
        for (name, count) in names {
            row(&format!("  {name}"), &format!("{:.1} a minute", count as f64 / self.minutes().max(1.0)));
        }
        for (name, service, actions, rate) in BUCKETS {
            let times = self.times(service, actions);
            if times.is_empty() {
                continue;
            }
            let (minute, granted) = (times.len() as f64 / self.minutes().max(1.0), rate * 60.0);
            let percent = |calls: f64| 100.0 * calls / granted;
            let (average, most) = (percent(minute), percent(busiest(&times) as f64));
            row(
                &format!("  of what AWS grants: {name}"),
                &format!("{average:.1} % of {granted:.0} a minute, {most:.1} % in the busiest minute"),
            );
        }
    }

    /// Returns when the calls of a bucket were, in order.
    fn times(&self, service: &str, actions: &[&str]) -> Vec<f64> {
        let place = |call: &Value| {
            BUCKETS.iter().position(|(_, service, actions, _)| {
                text(call, "service") == *service
                    && actions.iter().any(|action| text(call, "action").starts_with(action))
            })
        };
        let bucket = BUCKETS.iter().position(|(_, of, names, _)| (*of, *names) == (service, actions));
        let mut times: Vec<f64> = self
            .calls
            .iter()
            .filter(|call| place(call) == bucket)
            .filter_map(|call| call["at"].as_f64())
            .collect();
        times.sort_by(f64::total_cmp);
        times
    }
}

/// Returns the most calls within a minute.
fn busiest(times: &[f64]) -> usize {
    let within = |(first, began): (usize, &f64)| times.partition_point(|at| *at < began + 60.0) - first;
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

fn text<'a>(call: &'a Value, field: &str) -> &'a str {
    call[field].as_str().unwrap_or_default()
}
