//! Counts the requests of one app as they end, on the router's threads: two additions, no lock, no allocation.

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
