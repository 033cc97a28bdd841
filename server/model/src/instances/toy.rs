//! A toy cloud for the tests of the decisions: instances boot, fail and are taken back in it, its answers get lost, and its
//! lists lag and lie. What is true and what is known are kept apart.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::plan::Standing;
use crate::size::Size;

/// How much time passes in a turn.
pub(super) const TURN: SignedDuration = SignedDuration::from_secs(10);

const STARTS: SignedDuration = SignedDuration::from_secs(20);
const JOINS: SignedDuration = SignedDuration::from_secs(60);
const GRACE: SignedDuration = SignedDuration::from_secs(30);
const NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// An instance as it is.
#[derive(Clone, Debug)]
pub(super) struct Real {
    pub(super) launch: LaunchId,
    pub(super) pool: Pool,
    pub(super) born: Timestamp,
    pub(super) ended: bool,
    /// No host will ever join from it.
    pub(super) dud: bool,
    /// Somebody has switched it off.
    pub(super) stopped: bool,
    /// Since when it answers nobody.
    pub(super) dead_since: Option<Timestamp>,
    /// When it was told that it is taken back.
    pub(super) noticed: Option<Timestamp>,
    /// It was told that it is more likely than others to be.
    pub(super) risky: bool,
}

/// A launch as it is written down.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) instance: Instance,
    pub(super) attempts: u32,
}

/// What the cloud's list is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    True,
    Failed,
    Empty,
    Half,
}

pub(super) struct Toy {
    pub(super) settings: Settings,
    pub(super) now: Timestamp,
    pub(super) rows: Vec<Row>,
    pub(super) real: BTreeMap<InstanceId, Real>,
    /// Each replica's size, and where it is.
    pub(super) replicas: Vec<(Size, Option<InstanceId>)>,
    pub(super) full: BTreeSet<Pool>,
    pub(super) dark: BTreeSet<String>,
    pub(super) list: List,
    /// Answers to orders get lost.
    pub(super) deaf: bool,
    /// No order is taken just now.
    pub(super) busy: bool,
    /// The next so many instances never join.
    pub(super) duds: u32,
    /// Instances end as soon as they are there.
    pub(super) stillborn: bool,
    pub(super) past: Vec<Past>,
    pub(super) alarms: Vec<Alarm>,
    told_at: Option<Timestamp>,
    joined: BTreeMap<String, Timestamp>,
    pub(super) lacks: Vec<Lack>,
    strays: BTreeMap<InstanceId, Timestamp>,
    pub(super) visited: BTreeSet<InstanceId>,
    pub(super) dismissed: BTreeMap<InstanceId, Timestamp>,
    pub(super) surplus_since: Option<Timestamp>,
    pub(super) next: u128,
}

pub(super) const OFFERS: Room = Room { memory_mb: 4096, cpu_millicores: 2_000 };

pub(super) fn settings(zones: &[&str], min: u32, max: u32) -> Settings {
    Settings {
        zones: zones.iter().map(|zone| ((*zone).to_owned(), Bounds { min, max })).collect(),
        schedules: Vec::new(),
        types: ["small", "other"].map(|name| InstanceType { name: name.to_owned(), offers: OFFERS }).into(),
        spot: true,
        headroom_percent: 10,
        replaced_per_hour: 6,
        patience: SignedDuration::from_mins(10),
        boot: usual_boot(),
    }
}

impl Toy {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            rows: Vec::new(),
            real: BTreeMap::new(),
            replicas: Vec::new(),
            full: BTreeSet::new(),
            dark: BTreeSet::new(),
            list: List::True,
            deaf: false,
            busy: false,
            duds: 0,
            stillborn: false,
            past: Vec::new(),
            alarms: Vec::new(),
            told_at: None,
            joined: BTreeMap::new(),
            lacks: Vec::new(),
            strays: BTreeMap::new(),
            visited: BTreeSet::new(),
            dismissed: BTreeMap::new(),
            surplus_since: None,
            next: 1,
        }
    }

    /// Lets time pass, and the hosts and the cloud's list become what they then are.
    pub(super) fn pass(&mut self) {
        self.now += TURN;
        let now = self.now;
        for real in self.real.values_mut() {
            real.ended |= real.noticed.is_some_and(|at| now.duration_since(at) >= NOTICE);
            if self.dark.contains(&real.pool.zone) {
                real.dead_since.get_or_insert(now);
            }
        }
        self.hosts();
        self.place();
        self.look();
    }

    fn hosts(&mut self) {
        for row in &mut self.rows {
            let found = self.real.iter().find(|(_, real)| real.launch == row.instance.launch);
            let Some((_, real)) = found else { continue };
            let dead = real.dead_since.or((real.ended || real.stopped).then_some(self.now));
            let joins = !row.instance.removed && row.instance.wish == Wish::Run;
            match &mut row.instance.host {
                None if dead.is_none() && joins && may_join(real, self.now) => {
                    let (standing, holds) = (Standing::Ready, Sizes::default());
                    row.instance.host = Some(Tenant { standing, lost_since: None, offers: OFFERS, holds });
                    self.joined.insert(real.pool.zone.clone(), self.now);
                }
                Some(host) if host.lost_since.is_none() => match dead {
                    Some(since) if self.now.duration_since(since) >= GRACE => {
                        (host.standing, host.lost_since) = (Standing::Lost, Some(self.now));
                    }
                    Some(_) if host.standing == Standing::Ready => host.standing = Standing::Silent,
                    None if host.standing == Standing::Silent => host.standing = Standing::Ready,
                    _ => {}
                },
                Some(host) if dead.is_none() => {
                    host.lost_since = None;
                    host.standing = match row.instance.wish {
                        Wish::Run => Standing::Ready,
                        _ => Standing::Draining,
                    };
                }
                _ => {}
            }
            let has_host = row.instance.host.is_some();
            (row.instance.notice, row.instance.risk) = (real.noticed.is_some(), real.risky && has_host);
        }
    }

    /// Gives replicas places as the plan does: those without one, and those that should leave as far as there is room.
    fn place(&mut self) {
        let standing = |rows: &[Row], id: &InstanceId| {
            let row = rows.iter().find(|row| row.instance.id.as_ref() == Some(id))?;
            row.instance.host.as_ref().map(|host| host.standing)
        };
        for at in 0..self.replicas.len() {
            let (size, place) = self.replicas[at].clone();
            let here = place.as_ref().and_then(|id| standing(&self.rows, id));
            if matches!(here, Some(Standing::Ready | Standing::Silent)) {
                continue;
            }
            if here != Some(Standing::Draining) {
                self.replicas[at].1 = None;
            }
            self.count();
            let free = |row: &Row| row.instance.id.clone().zip(row.instance.free());
            let fits = self.rows.iter().filter_map(free).filter(|(_, room)| room.takes(size) > 0);
            if let Some((id, _)) = fits.max_by_key(|(_, room)| room.memory_mb) {
                self.replicas[at].1 = Some(id);
            }
        }
        self.count();
    }

    fn count(&mut self) {
        for row in &mut self.rows {
            let Some(host) = &mut row.instance.host else { continue };
            let here = self.replicas.iter().filter(|(_, place)| place.is_some() && *place == row.instance.id);
            host.holds = here.map(|(size, _)| *size).collect();
        }
    }

    fn look(&mut self) {
        let shown: BTreeMap<&InstanceId, State> = match self.list {
            List::Failed => return,
            List::Empty => BTreeMap::new(),
            list => {
                let half = self.real.len() / 2;
                let visible =
                    self.real.iter().filter(|(_, real)| self.now.duration_since(real.born) >= TURN * 2);
                let visible = visible.map(|(id, real)| (id, state(real, self.now)));
                if list == List::Half { visible.take(half).collect() } else { visible.collect() }
            }
        };
        self.told_at = Some(self.now);
        for row in &mut self.rows {
            let launch = row.instance.launch;
            let found = self.real.iter().find(|(_, real)| real.launch == launch).map(|(id, _)| id);
            let seen = found.and_then(|id| Some((id, *shown.get(id)?)));
            row.instance.seen = match (seen, &row.instance.seen) {
                (Some((id, state)), _) => {
                    row.instance.says = (state == State::Ended).then(|| "Client.InternalError".to_owned());
                    Sight::Seen { id: id.clone(), state }
                }
                (None, Sight::Seen { .. }) => Sight::Missing { since: self.now },
                (None, before) => before.clone(),
            };
        }
        let rows = &self.rows;
        let is_stray = |id: &InstanceId, state: State| {
            let launch = self.real[id].launch;
            state != State::Ended && !rows.iter().any(|row| row.instance.launch == launch)
        };
        let strays: BTreeSet<InstanceId> =
            shown.iter().filter(|(id, state)| is_stray(id, **state)).map(|(id, _)| (*id).clone()).collect();
        self.strays.retain(|id, _| strays.contains(id));
        for id in strays {
            self.strays.entry(id).or_insert(self.now);
        }
    }

    pub(super) fn view(&self) -> View {
        let mut instances: Vec<Instance> = self.rows.iter().map(|row| row.instance.clone()).collect();
        instances.sort_by_key(|instance| instance.launch);
        let draining = |id: &InstanceId| {
            let row = self.rows.iter().find(|row| row.instance.id.as_ref() == Some(id));
            row.and_then(|row| row.instance.host.as_ref())
                .is_some_and(|host| host.standing == Standing::Draining)
        };
        let waits = |place: &Option<InstanceId>| place.as_ref().is_none_or(draining);
        let hosts = || self.rows.iter().filter_map(|row| row.instance.host.as_ref());
        let unheard =
            hosts().filter(|host| matches!(host.standing, Standing::Silent | Standing::Lost)).count();
        let stray = |(id, since): (&InstanceId, &Timestamp)| Stray {
            id: id.clone(),
            since: *since,
            visited: self.visited.contains(id),
        };
        View {
            settings: self.settings.clone(),
            instances,
            strays: self.strays.iter().map(stray).collect(),
            dismissed: self.dismissed(),
            waiting: self.replicas.iter().filter(|(_, place)| waits(place)).map(|(size, _)| *size).collect(),
            told_at: self.told_at,
            untold: (self.list == List::Failed).then(|| "rate exceeded".to_owned()),
            lacks: self.lacks.clone(),
            past: self.past.iter().filter(|past| self.now.duration_since(past.at) < HOUR).cloned().collect(),
            joined: self.joined.clone(),
            surplus_since: self.surplus_since,
            cut_off: unheard > (hosts().count() / 3).max(1),
            now: self.now,
        }
    }

    /// Returns the strays that were ended within the last hour.
    pub(super) fn dismissed(&self) -> BTreeMap<InstanceId, Timestamp> {
        let lately = self.dismissed.iter().filter(|(_, at)| self.now.duration_since(**at) < HOUR);
        lately.map(|(id, at)| (id.clone(), *at)).collect()
    }

    /// Removes a host as a person does: at once, and its instance goes on.
    pub(super) fn remove(&mut self, at: usize) {
        let mut joined: Vec<&mut Row> =
            self.rows.iter_mut().filter(|row| row.instance.host.is_some()).collect();
        let at = at % joined.len().max(1);
        if let Some(row) = joined.get_mut(at) {
            (row.instance.host, row.instance.removed) = (None, true);
        }
    }

    pub(super) fn row(&mut self, launch: LaunchId) -> &mut Row {
        self.rows.iter_mut().find(|row| row.instance.launch == launch).expect("the launch is written down")
    }

    /// Lets turns pass until nothing more is decided for a while; the number of hosts of each zone.
    pub(super) fn settle(&mut self) -> Vec<usize> {
        let mut idle = 0;
        for _ in 0..3_000 {
            self.pass();
            let decision = decide(&self.view());
            idle = if decision.actions.is_empty() { idle + 1 } else { 0 };
            self.act(&decision);
            if idle == 120 {
                return self.spread();
            }
        }
        panic!("the fleet does not come to rest: {:#?}", decide(&self.view()));
    }

    pub(super) fn spread(&self) -> Vec<usize> {
        let alive =
            |zone: &str| self.real.values().filter(|real| !real.ended && real.pool.zone == zone).count();
        self.settings.zones.keys().map(|zone| alive(zone)).collect()
    }

    pub(super) fn placed(&self) -> usize {
        self.replicas.iter().filter(|(_, place)| place.is_some()).count()
    }

    pub(super) fn want(&mut self, count: usize, size: Size) {
        self.replicas = (0..count).map(|at| self.replicas.get(at).cloned().unwrap_or((size, None))).collect();
    }
}

pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn may_join(real: &Real, now: Timestamp) -> bool {
    !real.dud && now.duration_since(real.born) >= JOINS
}

fn state(real: &Real, now: Timestamp) -> State {
    if real.ended {
        State::Ended
    } else if real.stopped {
        State::Stopped
    } else if now.duration_since(real.born) < STARTS {
        State::Pending
    } else {
        State::Running
    }
}
