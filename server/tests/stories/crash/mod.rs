//! `kill -9` at each step that is on disk, and the start after it: all converges, and nothing is left.
//!
//! Which steps there are says `fail_point::Step`; a test here holds that each has its case.

mod containers;
mod endings;
mod files;
mod host;
mod ledger;
mod pushes;
mod wishes;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fail_point::Step;

use crate::app::TestApp;
use crate::platform::TestPlatform;
use ledger::Ledger;

/// How long things may take to be as they should.
const LIMIT: Duration = Duration::from_secs(60);

/// Lets a server die at a step of what is begun with `change`, and starts the next one.
fn dies_at<T>(platform: &mut TestPlatform, step: Step, change: impl FnOnce(&TestPlatform) -> T) -> T {
    let begun = dies_for_good_at(platform, step, change);
    platform.start_again();
    begun
}

fn dies_for_good_at<T>(
    platform: &mut TestPlatform,
    step: Step,
    change: impl FnOnce(&TestPlatform) -> T,
) -> T {
    platform.end_server(false);
    platform.start_doomed(step);
    platform.wait_until_ready();
    let begun = change(platform);
    platform.wait_for_death(step);
    begun
}

/// Waits until nothing is under way, and nothing is there but what the database asks for. Returns what it says.
#[track_caller]
fn converges(platform: &TestPlatform, what: &str) -> Ledger {
    let deadline = Instant::now() + LIMIT;
    loop {
        let ledger = Ledger::read(&platform.data);
        let judged = ledger
            .judge()
            .and_then(|()| host::judge(&platform.data, platform.server_pid(), &ledger))
            .and_then(|()| files::judge(&platform.data, &ledger));
        match judged {
            Ok(()) => return ledger,
            Err(why) => assert!(Instant::now() < deadline, "{what}: after a minute {why}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Pushes what was being pushed again, and looks that all know of one commit: the branch, the release that serves, the visitor.
#[track_caller]
fn is_deployed(app: &TestApp<'_>, greeting: &str, what: &str) {
    let pushed = app.push();
    assert!(pushed.ok, "{what}: the next push failed: {}", pushed.text);
    let ledger = converges(app.platform, what);
    let head = app.git(&["rev-parse", "HEAD"]);
    let tip = app.git(&["ls-remote", "paas", "refs/heads/main"]);
    assert!(tip.starts_with(&head), "{what}: {tip:?} is not {head}");
    assert_eq!(ledger.commits[&app.name].as_ref(), Some(&head), "{what}: what serves");
    assert_eq!(ledger.built[&head], 1, "{what}: builds of the commit");
    let answer = app.get("/");
    assert_eq!((answer.status, answer.body.as_str()), (200, greeting), "{what}");
}

#[test]
fn each_step_has_a_case_in_which_the_server_dies_there() {
    let tried = pushes::STEPS.iter().chain(pushes::OTHERS).chain(endings::STEPS).copied();
    let tried: BTreeSet<Step> = tried.chain(wishes::CASES.iter().map(|case| case.step)).collect();
    let missing: Vec<_> = Step::ALL.iter().filter(|step| !tried.contains(step)).collect();
    assert!(missing.is_empty(), "no case: {missing:?}");
}
