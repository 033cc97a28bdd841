//! Counts the requests of one app and of its replicas as they end, on the router's threads: a few additions, no lock, no
//! allocation.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use model::metrics::{BUCKETS, CLASSES, Class, Histogram, Traffic, bucket_of};
use router::{Code, RequestLine};

/// What was counted of one app since this server started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests by class, in the order of [`CLASSES`], and by how long they took.
    requests: [[AtomicU64; BUCKETS]; CLASSES.len()],
    /// All response times together.
    sum_ms: AtomicU64,
    /// What the router broke off because nothing moved: an error without a response time.
    stuck: AtomicU64,
    tunnels: AtomicU64,
}

impl Counters {
    /// Counts one request.
    pub fn count(&self, line: &RequestLine) {
        let class = match line.code {
            Some(Code::H15) => Some(Class::ServerError),
            _ if line.status == http::StatusCode::SWITCHING_PROTOCOLS => None,
            _ => Some(Class::of(line.status.as_u16())),
        };
        if let (Some(replica), Some(class)) = (&line.replica, class) {
            replica.count_visit(class == Class::ServerError);
        }
        // A tunnel takes as long as both ends like; one that nobody uses ends with the same code as a stuck answer.
        if line.code == Some(Code::H15) {
            self.stuck.fetch_add(1, Relaxed);
        } else if line.status == http::StatusCode::SWITCHING_PROTOCOLS {
            self.tunnels.fetch_add(1, Relaxed);
        } else {
            let took = line.connect.saturating_add(line.service);
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.requests[Class::of(line.status.as_u16()) as usize][bucket_of(ms)].fetch_add(1, Relaxed);
            self.sum_ms.fetch_add(ms, Relaxed);
        }
    }

    /// Returns what was counted so far.
    #[must_use]
    pub fn total(&self) -> Traffic {
        let mut classes = [0; CLASSES.len()];
        let mut latency = Histogram { sum_ms: self.sum_ms.load(Relaxed), ..Histogram::default() };
        for (class, requests) in classes.iter_mut().zip(&self.requests) {
            for (bucket, count) in latency.buckets.iter_mut().zip(requests) {
                let count = count.load(Relaxed);
                *class += count;
                *bucket += count;
            }
        }
        classes[Class::ServerError as usize] += self.stuck.load(Relaxed);
        Traffic { classes, tunnels: self.tunnels.load(Relaxed), latency }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderValue, Method, StatusCode};

    use super::*;

    fn line(status: StatusCode, ms: u64, code: Option<Code>) -> RequestLine {
        let value = HeaderValue::from_static("x");
        RequestLine {
            code,
            method: Method::GET,
            path: "/".parse().unwrap(),
            host: value.clone(),
            request_id: value.clone(),
            fwd: value,
            replica: None,
            connect: Duration::from_millis(1),
            service: Duration::from_millis(ms - 1),
            status,
            bytes: 0,
            protocol: "http",
        }
    }

    #[test]
    fn requests_are_counted_once_by_class_and_time_and_tunnels_have_no_time() {
        let counters = Counters::default();
        for (status, ms, code) in [
            (StatusCode::OK, 1, None),
            (StatusCode::OK, 40, None),
            (StatusCode::NOT_FOUND, 40, None),
            (StatusCode::SERVICE_UNAVAILABLE, 30_005, Some(Code::H12)),
            (StatusCode::SERVICE_UNAVAILABLE, 55_000, Some(Code::H15)),
            (StatusCode::SWITCHING_PROTOCOLS, 500_000, None),
        ] {
            counters.count(&line(status, ms, code));
        }
        let total = counters.total();
        assert_eq!((total.classes, total.tunnels), ([2, 0, 1, 2], 1));
        assert_eq!((total.latency.count(), total.latency.sum_ms), (4, 1 + 40 + 40 + 30_005));
        assert_eq!(total.latency.buckets[bucket_of(40)], 2);
    }
}
