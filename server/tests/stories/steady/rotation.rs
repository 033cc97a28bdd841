//! Counts the web replicas in rotation while something is changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::app::TestApp;

/// How often it is looked: a few times within the shortest step of a rollout.
const EVERY: Duration = Duration::from_millis(20);

/// Looks until it is asked.
pub(super) struct Rotation {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Vec<String>)>,
}

impl Rotation {
    /// Notes whenever fewer than `at_least` replicas are healthy and not leaving, of each release on its own.
    pub(super) fn watch(app: &TestApp<'_>, at_least: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, token) =
            (format!("{}/apps/{}/dynos", app.platform.url(), app.name), app.platform.token.clone());
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut looks, mut dips) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                let text = replicas(&url, &token);
                let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                if in_rotation(&json) < at_least {
                    dips.push(text);
                }
                looks += 1;
                std::thread::sleep(EVERY);
            }
            (looks, dips)
        });
        Self { stop, thread }
    }

    /// Fails the test if that happened.
    #[track_caller]
    pub(super) fn assert_never_fewer(self, what: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let (looks, dips) = self.thread.join().unwrap();
        assert!(looks > 0, "{what}: nobody looked");
        assert!(dips.is_empty(), "{what}: {} of {looks} looks saw too few: {dips:#?}", dips.len());
    }
}

fn replicas(url: &str, token: &str) -> String {
    let request = ureq::get(url).header("Authorization", format!("Bearer {token}"));
    request.call().unwrap().body_mut().read_to_string().unwrap()
}

/// Returns how many replicas of one release are healthy; a rollout adds a second set, which must not hide a dip in the first.
fn in_rotation(replicas: &serde_json::Value) -> usize {
    let healthy = || {
        let web = |replica: &&serde_json::Value| replica["type"] == "web" && replica["phase"] == "healthy";
        replicas.as_array().unwrap().iter().filter(web).map(|replica| &replica["release"]["version"])
    };
    healthy().map(|version| healthy().filter(|other| *other == version).count()).max().unwrap_or_default()
}
