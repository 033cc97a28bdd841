//! How long a server that starts keeps visitors of ten apps waiting: from its exec to the first answer of each.

use std::time::{Duration, Instant};

use crate::platform::TestPlatform;
use crate::{ROUNDS, median, row, visitor};

const APPS: usize = 10;

pub(crate) fn measure() {
    let mut platform = TestPlatform::start();
    let hosts: Vec<String> = (0..APPS)
        .map(|number| {
            let app = platform.app(&format!("kept-{number}"));
            app.greets("here").deploy();
            app.host()
        })
        .collect();
    for (what, orderly) in [("start after an orderly end", true), ("start after kill -9", false)] {
        let mut first = Vec::new();
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            platform.end_server(orderly);
            let visitors: Vec<_> = hosts.iter().map(|host| waiting(platform.router, host)).collect();
            let begun = Instant::now();
            platform.start_again();
            let waits: Vec<Duration> =
                visitors.into_iter().map(|visitor| visitor.join().expect("an answer") - begun).collect();
            first.extend(waits.iter().min());
            all.extend(waits.iter().max());
        }
        row(&format!("{what}, first answer of {APPS} apps"), median(first), None);
        row(&format!("{what}, last answer of {APPS} apps"), median(all), None);
    }
}

/// Asks at once, and returns when the answer came.
fn waiting(router: std::net::SocketAddr, host: &str) -> std::thread::JoinHandle<Instant> {
    let host = host.to_owned();
    std::thread::spawn(move || {
        let answer = visitor::get(router, &host, "/").expect("a connection that waits");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Instant::now()
    })
}
