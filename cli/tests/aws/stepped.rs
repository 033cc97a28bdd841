//! The control plane is killed at each call by which it changes something at AWS, for a launch, a rollout, a scale and an instance
//! that is let go: before AWS carries it out, and then, when it is made again, after AWS has carried it out and before the answer. Each
//! time there is in the end exactly what was wanted, and no visitor notices. Of what it only asks, each kind of question is once the
//! moment of its death.
//!
//! Left out are calls about an app that comes or goes (`server/tests/instances` kills at those, without machines).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud::CHANGES;
use crate::exactly::{Entrances, Wanted};
use crate::platform::{Platform, until};

/// Visitors a second.
const RATE: &str = "20";

/// How long it may take until there is what is wanted.
const PATIENCE: Duration = Duration::from_secs(360);

/// What is asked of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// One more host in one of the zones.
    Launch,
    /// The release before the present one.
    Deploy,
    /// One host less, whose replicas move elsewhere.
    LetGo,
    /// One replica more.
    Grow,
    /// One less.
    Shrink,
}

/// In this order all is in the end as it was.
const CHANGES_IN_TURN: [Change; 5] =
    [Change::Launch, Change::Deploy, Change::LetGo, Change::Grow, Change::Shrink];

impl Change {
    /// Returns the change that takes this one back.
    fn back(self) -> Option<Self> {
        match self {
            Self::Launch => Some(Self::LetGo),
            Self::LetGo => Some(Self::Launch),
            Self::Grow => Some(Self::Shrink),
            Self::Shrink => Some(Self::Grow),
            Self::Deploy => None,
        }
    }
}

struct Story<'a> {
    platform: &'a Platform,
    wanted: Wanted,
    entrances: Entrances,
}

impl Story<'_> {
    /// Asks for a change, and notes what is wanted from now on.
    fn ask_for(&mut self, change: Change) {
        let bounds = |min| drop(self.platform.paasctl(&["hosts:bounds", "us-east-1a", "--min", min]));
        let scale = |web: usize| {
            self.platform.paasctl(&["ps:scale", &format!("web={web}"), "-a", "shop", "--no-wait"])
        };
        match change {
            Change::Launch => {
                bounds("2");
                self.wanted.zones.insert(0, "us-east-1a");
            }
            Change::LetGo => {
                bounds("1");
                self.wanted.zones.remove(0);
            }
            Change::Deploy => {
                let made = self.platform.paasctl(&["rollback", "-a", "shop", "--no-wait", "--json"]);
                let made: Value = serde_json::from_str(&made).unwrap();
                self.wanted.version = made["version"].as_u64().unwrap();
            }
            Change::Grow | Change::Shrink => {
                self.wanted.web = if change == Change::Grow { 3 } else { 2 };
                scale(self.wanted.web);
            }
        }
    }

    /// Waits until there is what is wanted.
    #[track_caller]
    fn settle(&self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(differs) = self.wanted.compare(self.platform, &self.entrances) {
            assert!(Instant::now() < deadline, "{what}: {differs}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn is_settled(&self) -> bool {
        self.wanted.compare(self.platform, &self.entrances).is_ok()
    }

    /// Has the next call of that kind but so many wait and never be answered.
    fn hold(&self, action: &str, when: &str, skip: usize) -> Value {
        let wish = json!({ "action": action, "hold": when, "drop": when, "skip": skip, "times": 1 });
        self.platform.cloud.tell("fault", &wish)["number"].clone()
    }

    /// Waits until a fault has caught a call, or all is as wanted without it.
    #[track_caller]
    fn is_caught(&self, number: &Value) -> bool {
        until("a call, or the end", || match () {
            () if self.platform.cloud.is_caught(number) => Some(true),
            // What is held after it was carried out is seen, too.
            () if self.is_settled() && !self.platform.cloud.has_struck(number) => Some(false),
            () => None,
        })
    }

    /// Kills the control plane while it waits for the answer to a call, which it never gets. What is held next is said before the
    /// next one begins. Returns what the call was.
    fn kill<T>(&self, when: &str, number: &Value, next: impl FnOnce(&Self) -> T) -> (String, T) {
        let known = self.count();
        self.platform.kill_control();
        let next = next(self);
        self.platform.cloud.tell("release", &json!({ "number": number }));
        let dropped = format!("dropped {when}");
        let call = until("the call to end", || {
            self.calls(known).into_iter().find(|call| call["status"] == *dropped)
        });
        (action(&call).to_owned(), next)
    }

    /// Returns how many calls there were so far.
    fn count(&self) -> u64 {
        self.platform.cloud.ask("counts").as_object().unwrap().values().filter_map(Value::as_u64).sum()
    }

    /// Returns the calls after the first so many.
    fn calls(&self, after: u64) -> Vec<Value> {
        self.platform.cloud.ask(&format!("calls?after={after}")).as_array().unwrap().clone()
    }

    /// Makes a change. Returns by how many calls.
    fn undisturbed(&mut self, change: Change) -> usize {
        let before = self.count();
        self.ask_for(change);
        self.settle(&format!("{change:?} undisturbed"));
        let calls = self.calls(before);
        let changes: Vec<&str> = calls.iter().map(action).filter(|action| !is_question(action)).collect();
        eprintln!("{change:?}: {changes:?}");
        changes.len()
    }

    /// Makes a change and kills the control plane at one of its calls, twice. Returns which call that was each time.
    fn killed_at(&mut self, change: Change, at: usize) -> Vec<(&'static str, String)> {
        let (begun, mut killed) = (Instant::now(), Vec::new());
        let held = self.hold(CHANGES, "before", at);
        self.ask_for(change);
        if self.is_caught(&held) {
            let (action, held) = self.kill("before", &held, |story| story.hold(CHANGES, "after", 0));
            killed.push(("before", action));
            if self.is_caught(&held) {
                killed.push(("after", self.kill("after", &held, |_| ()).0));
            }
        }
        self.platform.cloud.tell("clear", &json!({}));
        self.settle(&format!("{change:?}, killed at {killed:?}"));
        eprintln!("{change:?}, killed at {killed:?}: {:.0?}", begun.elapsed());
        killed
    }

    /// Makes each change as often as it takes calls, and kills the control plane at each of them. Returns how often at which.
    fn killed_at_each(&mut self, calls: &BTreeMap<Change, usize>) -> BTreeMap<(&'static str, String), usize> {
        let mut killed = BTreeMap::new();
        for at in 0..calls.values().copied().max().unwrap() {
            let is_left = |change: Change| at < calls[&change];
            for change in CHANGES_IN_TURN {
                if is_left(change) || change.back().is_some_and(is_left) {
                    for death in self.killed_at(change, at) {
                        *killed.entry(death).or_insert(0) += 1;
                    }
                }
            }
        }
        eprintln!("killed at {killed:?}");
        killed
    }

    /// Kills the control plane in a rollout at each kind of question in turn; each time it begins anew.
    fn killed_at_questions(&mut self, questions: &[String]) {
        let hold = |story: &Self, at: usize| Some(story.hold(questions.get(at)?, "before", 0));
        let mut held = hold(self, 0);
        self.ask_for(Change::Deploy);
        for (at, question) in questions.iter().enumerate() {
            let number = held.unwrap();
            until(question, || self.platform.cloud.is_caught(&number).then_some(()));
            let (asked, next) = self.kill("before", &number, |story| hold(story, at + 1));
            assert_eq!(asked, *question);
            held = next;
        }
        self.settle("killed at each question");
    }

    /// Waits until the fleet was looked at once more, and tells whether anything was changed meanwhile.
    fn is_at_rest(&self) -> bool {
        let before = self.count();
        until("another look", || {
            self.calls(before).iter().any(|call| action(call) == "DescribeInstanceStatus").then_some(())
        });
        self.calls(before).iter().all(|call| is_question(action(call))) && self.is_settled()
    }
}

fn action(call: &Value) -> &str {
    call["action"].as_str().unwrap()
}

/// Tells whether a call changes nothing.
fn is_question(action: &str) -> bool {
    ["Describe", "Get", "List"].iter().any(|begin| action.starts_with(begin))
}

/// Returns a platform with an app that has two releases.
fn story(platform: &Platform) -> Story<'_> {
    platform.paasctl(&["apps:create", "shop", "--no-remote"]);
    for greeting in ["first", "second"] {
        let (deployed, told) = platform.push(greeting);
        assert!(deployed, "{told}");
    }
    platform.paasctl(&["ps:scale", "web=2", "-a", "shop"]);
    platform.paasctl(&["hosts:patience", "none"]);
    let releases = platform.shown(&["releases", "-a", "shop"]);
    let current = releases.as_array().unwrap().iter().find(|release| release["current"] == true).unwrap();
    let wanted = Wanted {
        zones: vec!["us-east-1a", "us-east-1b", "us-east-1c"],
        version: current["version"].as_u64().unwrap(),
        web: 2,
    };
    let story = Story { platform, wanted, entrances: Entrances::of(platform) };
    story.settle("the beginning");
    story
}

#[test]
fn killed_at_each_call_of_a_launch_and_of_a_rollout_it_ends_with_exactly_what_is_wanted() {
    let Some(platform) = Platform::start() else { return };
    let mut story = story(&platform);
    let visits = platform.during_at(RATE, "the control plane is killed at each call", || {
        let calls = CHANGES_IN_TURN.map(|change| (change, story.undisturbed(change)));
        let (calls, begun) = (BTreeMap::from(calls), story.count());
        let killed = story.killed_at_each(&calls);
        for when in ["before", "after"] {
            for action in ["RunInstances", "RegisterTargets", "DeregisterTargets", "TerminateInstances"] {
                assert!(killed.contains_key(&(when, action.to_owned())), "{when} {action}: {killed:?}");
            }
        }
        let calls = story.calls(begun);
        let questions: BTreeSet<&str> =
            calls.iter().map(action).filter(|action| is_question(action)).collect();
        story.killed_at_questions(&questions.into_iter().map(str::to_owned).collect::<Vec<_>>());
        // The last one that was started may have begun a call before all was found to be as wanted.
        until("nothing more to be changed", || story.is_at_rest().then_some(()));
    });
    visits.assert_none_failed();
}
