//! How many visitors come a second: what is promised, unless the machine is so slow that they alone would keep it busy.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::visitor;

/// What a platform is to bear on a machine with two cores.
const PROMISED: u32 = 200;

/// Which part of what the machine could do they take: there is a platform beside them, and other tests come and go.
const SHARE: u32 = 4;

/// For how long it is tried what the machine can do, and by how many at a time.
const TRIAL: Duration = Duration::from_secs(1);
const AT_A_TIME: usize = 4;

/// Returns the rate: what `PAASD_TEST_RATE` says, or else as many as are promised, if the machine has the time for it.
pub(crate) fn per_second(router: SocketAddr, host: &str) -> u32 {
    if let Ok(given) = std::env::var("PAASD_TEST_RATE") {
        return given.parse().expect("PAASD_TEST_RATE is a number of requests a second");
    }
    let possible = capacity(router, host);
    let rate = (possible / SHARE).clamp(1, PROMISED);
    eprintln!("{rate} visitors a second come; {possible} would be possible here");
    rate
}

/// Returns how many visitors a second are answered when each comes as soon as the one before has gone.
fn capacity(router: SocketAddr, host: &str) -> u32 {
    let begun = Instant::now();
    let visit = || {
        let mut answered = 0;
        while begun.elapsed() < TRIAL {
            answered += u32::from(visitor::get(router, host, "/").is_ok());
        }
        answered
    };
    let answered: u32 = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(visit)).collect();
        visitors.into_iter().map(|visitor| visitor.join().unwrap()).sum()
    });
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
    let rate = (f64::from(answered) / seconds) as u32;
    rate
}
