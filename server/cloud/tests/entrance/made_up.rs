//! Load balancers that exist in memory only. Calls fail in them as they are told to, and targets become healthy and leave in
//! time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use cloud::entrance::{Balancers, Check, Group, Leads, Listed, Manners, NewGroup, Refused, Rule};
use jiff::{SignedDuration, Timestamp};
use model::entrance::{Target, TargetHealth};
use tokio::sync::Notify;

/// How long a new target is checked before it counts as healthy.
const CHECK: SignedDuration = SignedDuration::from_secs(4);

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Nothing is done.
    Throttled,
    /// It is done, and nobody hears of it.
    Unheard,
    /// What is listed lacks everything.
    Empty,
    /// The caller dies before it is done.
    DiesBefore,
    /// The caller dies after it was done.
    DiesAfter,
}

#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) group: Group,
    pub(crate) manners: Manners,
    pub(crate) targets: BTreeMap<Target, (TargetHealth, Timestamp)>,
    born: Timestamp,
}

#[derive(Default)]
pub(crate) struct Sky {
    pub(crate) now: Timestamp,
    pub(crate) balancers: Vec<String>,
    /// Those of them that speak TLS.
    pub(crate) tls: BTreeSet<String>,
    /// Listeners that are not in use.
    pub(crate) others: Vec<String>,
    pub(crate) groups: BTreeMap<String, Made>,
    /// By the listener, with when it was made.
    pub(crate) rules: BTreeMap<String, Vec<(Rule, Timestamp)>>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) calls: usize,
    pub(crate) changes: usize,
    /// Instances that exist no more.
    pub(crate) ended: BTreeSet<String>,
    /// How the ARNs of new groups end, which are unlike those of earlier ones of their names.
    pub(crate) suffix: &'static str,
    /// Groups that no list shows.
    pub(crate) hidden: BTreeSet<String>,
    /// Groups of which these calls are refused, whenever they are made.
    pub(crate) refused: BTreeSet<(&'static str, String)>,
    /// Replicas on these ports fail the checks.
    pub(crate) sick: BTreeSet<u16>,
    /// How long after it was made something is not shown.
    pub(crate) lag: SignedDuration,
    next: u64,
}

/// The handle of them.
#[derive(Clone, Default)]
pub(crate) struct MadeUp {
    sky: Arc<Mutex<Sky>>,
    /// Somebody died in a call.
    pub(crate) died: Arc<Notify>,
}

impl Sky {
    /// Lets time pass: targets are checked, and those that leave are gone at last.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        let now = self.now;
        for made in self.groups.values_mut() {
            let drain = SignedDuration::from_secs(i64::from(made.manners.drain_seconds));
            made.targets.retain(|target, (health, since)| {
                !self.ended.contains(target.instance.as_str())
                    && (*health != TargetHealth::Draining || now.duration_since(*since) < drain)
            });
            for (target, (health, since)) in &mut made.targets {
                if *health == TargetHealth::Draining || now.duration_since(*since) < CHECK {
                    continue;
                }
                *health = match self.sick.contains(&target.port) {
                    true => TargetHealth::of("unhealthy", "Target.Timeout"),
                    false => TargetHealth::Healthy,
                };
            }
        }
    }

    fn refuses(&self, call: &'static str, group: &str) -> Result<(), Refused> {
        match self.refused.contains(&(call, group.to_owned())) {
            true => Err(Refused { says: format!("{call} is refused"), unknown: false, clear: true }),
            false => Ok(()),
        }
    }

    /// Returns the targets that a request for a name may get to.
    pub(crate) fn asked(&self, name: &str) -> Vec<&Target> {
        let rules =
            self.rules.values().flatten().filter(|(rule, _)| {
                rule.hosts.iter().any(|host| host.as_str() == name) && rule.group.is_some()
            });
        let Some((rule, _)) = rules.min_by_key(|(rule, _)| rule.priority) else { return Vec::new() };
        let Some(made) = rule.group.as_ref().and_then(|arn| self.groups.get(arn)) else { return Vec::new() };
        let healthy = made.targets.iter().filter(|(_, (health, _))| *health == TargetHealth::Healthy);
        healthy.map(|(target, _)| target).collect()
    }
}

impl MadeUp {
    pub(crate) fn sky(&self) -> MutexGuard<'_, Sky> {
        self.sky.lock().unwrap()
    }

    /// Does something as the next fault has it.
    async fn call<T>(
        &self,
        changes: bool,
        does: impl FnOnce(&mut Sky, bool) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let fault = {
            let mut sky = self.sky();
            sky.calls += 1;
            sky.changes += usize::from(changes);
            sky.faults.pop_front().unwrap_or(Fault::None)
        };
        let refused = |says: &str| Refused { says: says.to_owned(), unknown: false, clear: false };
        match fault {
            Fault::DiesBefore => return self.die().await,
            Fault::Throttled => return Err(refused("rate exceeded")),
            _ => {}
        }
        let done = does(&mut self.sky(), fault == Fault::Empty);
        match fault {
            Fault::DiesAfter => self.die().await,
            Fault::Unheard => Err(refused("the connection broke")),
            _ => done,
        }
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }
}

fn unknown(what: &str) -> Refused {
    Refused { says: format!("{what} is not known"), unknown: true, clear: true }
}

fn listener(balancer: &str) -> String {
    format!("listener/{balancer}")
}

#[async_trait]
impl Balancers for MadeUp {
    async fn balancers(&self) -> Result<Vec<Listed>, Refused> {
        self.call(false, |sky, empty| {
            let listed = |name: &String| Listed {
                name: name.clone(),
                address: format!("{name}.example.net"),
                ours: true,
                zone: "Z1".to_owned(),
                listener: listener(name),
                tls: sky.tls.contains(name),
                others: sky.others.clone(),
                network: "vpc-1".to_owned(),
            };
            Ok(sky.balancers.iter().filter(|_| !empty).map(listed).collect())
        })
        .await
    }

    async fn groups(&self) -> Result<Vec<Group>, Refused> {
        self.call(false, |sky, empty| {
            let shows = |made: &&Made| {
                let hidden = empty || sky.hidden.contains(&made.group.arn);
                !hidden && sky.now.duration_since(made.born) >= sky.lag
            };
            Ok(sky.groups.values().filter(shows).map(|made| made.group.clone()).collect())
        })
        .await
    }

    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Refused> {
        self.call(false, |sky, empty| {
            let shows = |(_, born): &&(Rule, Timestamp)| !empty && sky.now.duration_since(*born) >= sky.lag;
            let rules = sky.rules.get(listener).into_iter().flatten();
            Ok(rules.filter(shows).map(|(rule, _)| rule.clone()).collect())
        })
        .await
    }

    async fn manners(&self, group: &str) -> Result<Manners, Refused> {
        self.call(false, |sky, _| sky.groups.get(group).map(|made| made.manners).ok_or_else(|| unknown("it")))
            .await
    }

    async fn health(&self, group: &str) -> Result<BTreeMap<Target, TargetHealth>, Refused> {
        self.call(false, |sky, _| {
            let made = sky.groups.get(group).ok_or_else(|| unknown("the group"))?;
            let led_to = sky.rules.values().flatten().any(|(rule, _)| rule.group.as_deref() == Some(group));
            let health = |(target, (health, _)): (&Target, &(TargetHealth, Timestamp))| {
                let unused = !led_to && *health != TargetHealth::Draining;
                let health =
                    if unused { TargetHealth::of("unused", "Target.NotInUse") } else { health.clone() };
                (target.clone(), health)
            };
            Ok(made.targets.iter().map(health).collect())
        })
        .await
    }

    async fn create_group(&self, new: &NewGroup) -> Result<String, Refused> {
        self.call(true, |sky, _| {
            let arn = format!("group/{}{}", new.name, sky.suffix);
            sky.refuses("create_group", &arn)?;
            let NewGroup { name, app, balancer, check, .. } = new.clone();
            let group = Group { arn: arn.clone(), name, app: Some(app), balancer, check };
            if let Some(made) = sky.groups.values().find(|made| made.group.name == group.name) {
                assert_eq!(made.group.app, group.app, "two apps have one group");
                return Ok(made.group.arn.clone());
            }
            let manners = Manners { drain_seconds: 300, sticky: false };
            sky.groups.insert(arn.clone(), Made { group, manners, targets: BTreeMap::new(), born: sky.now });
            Ok(arn)
        })
        .await
    }

    async fn set_check(&self, group: &str, check: &Check) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            sky.refuses("set_check", group)?;
            sky.groups.get_mut(group).ok_or_else(|| unknown("it"))?.group.check = check.clone();
            Ok(())
        })
        .await
    }

    async fn set_manners(&self, group: &str, manners: &Manners) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            sky.refuses("set_manners", group)?;
            sky.groups.get_mut(group).ok_or_else(|| unknown("it"))?.manners = *manners;
            Ok(())
        })
        .await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            let leads = |(rule, _): &(Rule, Timestamp)| rule.group.as_deref() == Some(group);
            if sky
                .others
                .iter()
                .any(|listener| sky.rules.get(listener).is_some_and(|all| all.iter().any(leads)))
            {
                return Err(Refused { says: "it is in use".to_owned(), unknown: false, clear: true });
            }
            assert!(!sky.rules.values().flatten().any(leads), "a group that is in use is removed");
            sky.refuses("delete_group", group)?;
            sky.groups.remove(group);
            Ok(())
        })
        .await
    }

    async fn create_rule(&self, listener: &str, priority: u32, leads: &Leads) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            sky.next += 1;
            let arn = format!("rule/{}", sky.next);
            sky.refuses("create_rule", &leads.group)?;
            let rules = sky.rules.entry(listener.to_owned()).or_default();
            if rules.iter().any(|(rule, _)| rule.priority == priority) {
                return Err(Refused { says: "the number is taken".to_owned(), unknown: false, clear: true });
            }
            let Leads { hosts, group } = leads.clone();
            rules.push((Rule { arn, priority, hosts, group: Some(group), ours: true }, sky.now));
            Ok(())
        })
        .await
    }

    async fn set_rule(&self, rule: &str, leads: &Leads) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            let mut rules = sky.rules.values_mut().flatten();
            let (rule, _) = rules.find(|(one, _)| one.arn == rule).ok_or_else(|| unknown("the rule"))?;
            assert!(rule.ours, "a rule of somebody else is changed");
            (rule.hosts, rule.group) = (leads.hosts.clone(), Some(leads.group.clone()));
            Ok(())
        })
        .await
    }

    async fn delete_rule(&self, rule: &str) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            for rules in sky.rules.values_mut() {
                assert!(
                    rules.iter().all(|(one, _)| one.ours || one.arn != rule),
                    "a rule of somebody else is removed"
                );
                rules.retain(|(one, _)| one.arn != rule);
            }
            Ok(())
        })
        .await
    }

    async fn register(&self, group: &str, targets: &[Target]) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            if let Some(target) = targets.iter().find(|target| sky.ended.contains(target.instance.as_str())) {
                return Err(unknown(target.instance.as_str()));
            }
            let (now, made) = (sky.now, sky.groups.get_mut(group).ok_or_else(|| unknown("the group"))?);
            for target in targets {
                if made.targets.get(target).is_none_or(|(health, _)| *health == TargetHealth::Draining) {
                    made.targets.insert(target.clone(), (TargetHealth::Initial, now));
                }
            }
            Ok(())
        })
        .await
    }

    async fn deregister(&self, group: &str, targets: &[Target]) -> Result<(), Refused> {
        self.call(true, |sky, _| {
            let (now, made) = (sky.now, sky.groups.get_mut(group).ok_or_else(|| unknown("the group"))?);
            for target in targets {
                if let Some(health) =
                    made.targets.get_mut(target).filter(|(health, _)| *health != TargetHealth::Draining)
                {
                    *health = (TargetHealth::Draining, now);
                }
            }
            Ok(())
        })
        .await
    }
}
