//! Rules that the platform made on a listener before its balancer got another one, which is in use now: they come before what sends
//! visitors there, and hold groups that nobody needs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::name::Hostname;

use super::calls::{Calls, limited};
use super::hands::Entrance;
use super::outcome::Notice;
use super::provider::{Listed, Refused, Rule};
use super::refusals::Refusals;
use super::wanted::Wanted;

/// What is known of listeners that are not in use.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Those without a rule of ours: nobody makes one there.
    clear: BTreeSet<String>,
    refusals: Refusals<String>,
}

impl Others {
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        self.refusals.notices()
    }

    /// Forgets those that are no such listeners any more.
    pub(super) fn keep(&mut self, balancers: &[Listed]) {
        let others: BTreeSet<String> =
            balancers.iter().flat_map(|balancer| balancer.others.clone()).collect();
        self.clear.retain(|listener| others.contains(listener));
        self.refusals.keep(&others);
    }
}

impl Entrance {
    /// Removes our rules from the listeners of a balancer that are not in use. The rules of the one that is are as wanted.
    pub(super) async fn clear_others(
        &mut self,
        wanted: &Wanted,
        balancer: &Listed,
        calls: &mut Calls<'_>,
        now: Timestamp,
    ) {
        for listener in &balancer.others {
            if self.others.clear.contains(listener)
                || !calls.go_on()
                || !self.others.refusals.allow(listener, now)
            {
                continue;
            }
            match self.clear(wanted, balancer, listener, calls).await {
                Ok(()) => {
                    self.others.refusals.done(listener);
                    self.others.clear.insert(listener.clone());
                }
                Err(refused) => {
                    let says = format!("rules at a port that is not in use any more stay: {refused}");
                    let notice = Notice { about: balancer.name.clone(), says };
                    self.others.refusals.note(listener.clone(), notice, &refused, now);
                }
            }
        }
    }

    async fn clear(
        &self,
        wanted: &Wanted,
        balancer: &Listed,
        listener: &str,
        calls: &mut Calls<'_>,
    ) -> Result<(), Refused> {
        let rules = limited(calls.balancers.rules(listener)).await?;
        let (needed, rest): (Vec<&Rule>, Vec<&Rule>) =
            rules.iter().filter(|rule| rule.ours).partition(|rule| self.is_needed(wanted, balancer, rule));
        for rule in rest {
            calls.change(calls.balancers.delete_rule(&rule.arn)).await?;
        }
        match needed.is_empty() {
            true => Ok(()),
            false => {
                let says = "the one in use does not lead to all of their apps yet".to_owned();
                Err(Refused { says, unknown: false, clear: true })
            }
        }
    }

    /// Tells whether a name of an app would lead nowhere without a rule.
    fn is_needed(&self, wanted: &Wanted, balancer: &Listed, rule: &Rule) -> bool {
        let in_use = self.sight.rules.get(&balancer.name).into_iter().flatten();
        let served: BTreeSet<&Hostname> =
            in_use.filter(|rule| rule.ours && rule.group.is_some()).flat_map(|rule| &rule.hosts).collect();
        let known = rule.group.as_ref().and_then(|group| self.sight.known.get(group));
        let goes = known.is_some_and(|known| known.ripe);
        let is_wanted = |host: &Hostname| wanted.apps.iter().any(|shown| shown.hosts.contains(host));
        !goes && rule.hosts.iter().any(|host| !served.contains(host) && is_wanted(host))
    }
}
