//! The server is killed at each call by which an app gets its target group and its rule, and both are changed, before AWS has carried it
//! out and, when it is made again, after that and before the answer; at those by which they go, after. In the end there is exactly what
//! was wanted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::killed::{has_struck, is_caught};
use crate::region::Simcloud;
use crate::server::{Server, until};

/// Calls of load balancers that change something.
const CHANGES: &str = "(?!Describe).*";

/// Who is killed, and at what it was.
struct Story<'a> {
    sky: &'a Simcloud,
    server: Server,
    killed: BTreeSet<(&'static str, String)>,
}

impl Story<'_> {
    /// Asks the server for something, and kills it at each call, at these moments in turn, until a condition holds.
    fn killed_until(
        &mut self,
        what: &str,
        ask: impl FnOnce(&mut Server),
        moments: &[&'static str],
        holds: impl Fn(&Simcloud) -> bool,
    ) {
        let mut held = self.hold(moments[0]);
        ask(&mut self.server);
        for (at, when) in moments.iter().cycle().take(40).enumerate() {
            let is_caught = until(what, || match () {
                () if is_caught(self.sky, &held) => Some(true),
                // What is held after it was carried out is seen, too.
                () if holds(self.sky) && !has_struck(self.sky, &held) => Some(false),
                () => None,
            });
            if !is_caught {
                self.sky.tell("clear", &json!({}));
                return;
            }
            self.kill(when, &held);
            held = self.hold(moments[(at + 1) % moments.len()]);
            self.server.start_again();
        }
        panic!("it never comes to an end: {what}");
    }

    fn hold(&self, when: &str) -> Value {
        let wish = json!({ "service": "elasticloadbalancing", "action": CHANGES, "hold": when, "drop": when, "times": 1 });
        self.sky.tell("fault", &wish)["number"].clone()
    }

    /// Kills the server while it waits for the answer to a call, which it never gets.
    fn kill(&mut self, when: &'static str, held: &Value) {
        let counts = self.sky.ask("counts");
        let known: u64 = counts.as_object().unwrap().values().filter_map(Value::as_u64).sum();
        self.server.kill();
        self.sky.tell("release", &json!({ "number": held }));
        let dropped = format!("dropped {when}");
        let action = until("the call to end", || {
            let calls = self.sky.ask(&format!("calls?after={known}"));
            let call = calls.as_array().unwrap().iter().find(|call| call["status"] == *dropped)?;
            call["action"].as_str().map(str::to_owned)
        });
        self.killed.insert((when, action));
    }
}

/// Returns how many target groups there are, and the names in each rule that leads to one.
fn entrances(sky: &Simcloud) -> (usize, Vec<BTreeSet<String>>) {
    let state = sky.ask("state");
    let balancers = state["balancers"].as_object().unwrap().values();
    let listeners = balancers.flat_map(|balancer| balancer["listeners"].as_array().unwrap());
    let rules = listeners.flat_map(|listener| listener["rules"].as_array().unwrap());
    let ours = rules.filter(|rule| rule["priority"] != "default");
    let values = ours.map(|rule| rule["conditions"][0]["HostHeaderConfig"]["Values"].as_array().unwrap());
    let names = values.map(|values| values.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
    (state["groups"].as_object().unwrap().len(), names.collect())
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// Returns what is set for the only target group.
fn settings(sky: &Simcloud) -> String {
    let call = |form: &[(&str, &str)]| {
        let scope = "Credential=AKIAOTHER/20260101/us-east-1/elasticloadbalancing/aws4_request";
        let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let form: Vec<_> = form.iter().copied().chain([("Version", "2015-12-01")]).collect();
        let request = ureq::post(&sky.url).header("Authorization", &signed);
        request.send_form(form).unwrap().body_mut().read_to_string().unwrap()
    };
    let state = sky.ask("state");
    let Some(group) = state["groups"].as_object().unwrap().keys().next() else { return String::new() };
    let attributes = [("Action", "DescribeTargetGroupAttributes"), ("TargetGroupArn", group)];
    let (check, attributes) = (call(&[("Action", "DescribeTargetGroups")]), call(&attributes));
    format!("{check}{attributes}").split_whitespace().collect()
}

fn says(settings: &str, path: &str, drain: &str) -> bool {
    settings.contains(&format!("<HealthCheckPath>{path}</HealthCheckPath>"))
        && settings
            .contains(&format!("<Key>deregistration_delay.timeout_seconds</Key><Value>{drain}</Value>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_call_for_an_app_that_comes_changes_and_goes_it_leaves_exactly_what_is_wanted() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    tokio::task::block_in_place(|| {
        let mut story = Story { sky: &sky, server: Server::start(&sky), killed: BTreeSet::new() };
        story.server.send("POST", "/apps", &json!({ "name": "shop" }));
        // With its first release an app has an entrance. No host is there for it, so that nobody waits for the push.
        let mut push = None;
        let deploy = |server: &mut Server| push = Some(server.push("shop"));
        story.killed_until("a group and a rule", deploy, &["before", "after"], |sky| {
            entrances(sky) == (1, vec![names(["shop.localhost"])]) && says(&settings(sky), "/", "30")
        });
        let mut push = push.unwrap();
        let _ = push.kill();
        push.wait().unwrap();

        // One after the other: which of two changes is made first would be a matter of chance.
        let wish = json!({ "health": { "path": "/ready" }, "drain_seconds": 7 });
        let set = |server: &mut Server| server.send("PATCH", "/apps/shop/settings", &wish);
        story.killed_until("the settings", set, &["before", "after"], |sky| {
            entrances(sky).0 == 1 && says(&settings(sky), "/ready", "7")
        });
        let wish = json!({ "hostname": "shop.example.org" });
        let name = |server: &mut Server| server.send("POST", "/apps/shop/domains", &wish);
        story.killed_until("the name", name, &["before", "after"], |sky| {
            entrances(sky) == (1, vec![names(["shop.localhost", "shop.example.org"])])
        });

        // A group goes a minute after its app, counted anew by each server.
        let destroy = |server: &mut Server| server.send("DELETE", "/apps/shop", &Value::Null);
        story.killed_until("nothing", destroy, &["after"], |sky| entrances(sky) == (0, Vec::new()));

        let actions = |when: &str| {
            let there = story.killed.iter().filter(|(at, _)| *at == when);
            there.map(|(_, action)| action.as_str()).collect::<BTreeSet<_>>()
        };
        let makes = [
            "CreateRule",
            "CreateTargetGroup",
            "ModifyRule",
            "ModifyTargetGroup",
            "ModifyTargetGroupAttributes",
        ];
        assert_eq!(actions("before"), BTreeSet::from(makes));
        let all = makes.into_iter().chain(["DeleteRule", "DeleteTargetGroup"]);
        assert_eq!(actions("after"), all.collect());
    });
}
