//! Chooses a host for a new replica: one process type is spread over zones, then over hosts, then the load is evened
//! out, all within what the hosts offer. Nothing that has its place is moved for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::id::HostId;
use crate::name::ProcessType;
use crate::replica::Phase;
use crate::size::Size;

use super::view::{AppView, HostView, Observation, ReplicaView, ReplicaWish, Standing, Target, World};

/// What a host without bounds is taken to offer when loads are compared.
const UNBOUNDED: Claim = Claim { memory_mb: 64 * 1024, cpu_millicores: 16_000 };

/// How much of a host is spoken for.
#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    memory_mb: u64,
    cpu_millicores: u64,
}

impl Claim {
    fn and(self, size: Size) -> Self {
        Self {
            memory_mb: self.memory_mb.saturating_add(size.memory_mb()),
            cpu_millicores: self.cpu_millicores.saturating_add(size.cpu_millicores()),
        }
    }
}

/// One host, and what is claimed of it.
struct Place {
    id: HostId,
    zone: usize,
    standing: Standing,
    memory_mb: Option<u64>,
    cpu_millicores: Option<u64>,
    claimed: Claim,
}

impl Place {
    fn of(host: &HostView, zone: usize) -> Self {
        Self {
            id: host.id,
            zone,
            standing: host.standing,
            memory_mb: host.memory_mb,
            cpu_millicores: host.cpu_millicores,
            claimed: Claim::default(),
        }
    }

    /// Tells whether it is there for replicas at all.
    fn is_for_replicas(&self) -> bool {
        self.standing == Standing::Ready && self.memory_mb != Some(0)
    }

    fn takes(&self, size: Size) -> bool {
        let after = self.claimed.and(size);
        self.standing == Standing::Ready
            && self.memory_mb.is_none_or(|offered| after.memory_mb <= offered)
            && self.cpu_millicores.is_none_or(|offered| after.cpu_millicores <= offered)
    }

    /// Returns the greater of the shares of memory and CPU that are claimed, in millionths.
    fn load(&self) -> u64 {
        let share = |claimed: u64, offered: u64| claimed.saturating_mul(1_000_000) / offered.max(1);
        let memory = share(self.claimed.memory_mb, self.memory_mb.unwrap_or(UNBOUNDED.memory_mb));
        let offered = self.cpu_millicores.unwrap_or(UNBOUNDED.cpu_millicores);
        memory.max(share(self.claimed.cpu_millicores, offered))
    }
}

/// What runs where, kept up to date while a plan is made. Room only becomes less meanwhile: what leaves in this plan still
/// holds its place.
pub(super) struct Room {
    places: Vec<Place>,
    index: HashMap<HostId, usize>,
    /// The hosts of each zone that take replicas, by load.
    zones: Vec<BTreeSet<(u64, usize)>>,
    /// Sizes for which a zone has no room any more.
    full: BTreeSet<(usize, Size)>,
    /// Why there is no room for a size anywhere, once that was found.
    lacks: BTreeMap<Size, String>,
}

impl Room {
    /// Counts what each host's replicas claim of it, until they have ended.
    pub(super) fn of(world: &World) -> Self {
        let replicas = world.apps.iter().flat_map(|app| &app.replicas).filter(|replica| may_claim(replica));
        Self::with(&world.hosts, replicas.map(|replica| (replica.host, replica.size)))
    }

    fn with(hosts: &[HostView], claims: impl Iterator<Item = (HostId, Size)>) -> Self {
        let names: BTreeSet<&str> = hosts.iter().map(|host| host.zone.as_str()).collect();
        let zone: HashMap<&str, usize> = names.into_iter().zip(0..).collect();
        let mut places: Vec<Place> =
            hosts.iter().map(|host| Place::of(host, zone[host.zone.as_str()])).collect();
        let index: HashMap<_, _> = places.iter().map(|place| place.id).zip(0..).collect();
        for (host, size) in claims {
            if let Some(at) = index.get(&host) {
                let place = &mut places[*at];
                place.claimed = place.claimed.and(size);
            }
        }
        let mut zones = vec![BTreeSet::new(); zone.len()];
        for (at, place) in places.iter().enumerate().filter(|(_, place)| place.standing == Standing::Ready) {
            zones[place.zone].insert((place.load(), at));
        }
        Self { places, index, zones, full: BTreeSet::new(), lacks: BTreeMap::new() }
    }

    /// Tells whether a replica's host keeps it.
    pub(super) fn keeps(&self, replica: &ReplicaView) -> bool {
        let place = self.index.get(&replica.host).map(|at| &self.places[*at]);
        place.is_some_and(|place| matches!(place.standing, Standing::Ready | Standing::Silent))
    }

    /// Tells whether what is known of a replica may be relied on: its host is not lost.
    pub(super) fn hears_of(&self, replica: &ReplicaView) -> bool {
        let place = self.index.get(&replica.host).map(|at| &self.places[*at]);
        place.is_some_and(|place| place.standing != Standing::Lost)
    }

    /// Takes a place and returns its host. Ties go to the lowest id.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    pub(super) fn place(&mut self, spread: &mut Spread, size: Size) -> Result<HostId, String> {
        if let Some(why) = self.lacks.get(&size) {
            return Err(why.clone());
        }
        let mut best: Option<(usize, Rank)> = None;
        for zone in 0..self.zones.len() {
            let alike = spread.zones.get(&zone).copied().unwrap_or_default();
            if best.is_some_and(|(least, _)| alike > least) || self.full.contains(&(zone, size)) {
                continue;
            }
            match self.candidate(zone, spread, size) {
                Some(rank) => best = Some(best.map_or((alike, rank), |best| best.min((alike, rank)))),
                None => drop(self.full.insert((zone, size))),
            }
        }
        let Some((_, rank)) = best else {
            let why = self.lack(size).unwrap_or_else(|| "no host is ready".to_owned());
            self.lacks.insert(size, why.clone());
            return Err(why);
        };
        Ok(self.take(rank.at, spread, size))
    }

    fn take(&mut self, at: usize, spread: &mut Spread, size: Size) -> HostId {
        let place = &mut self.places[at];
        let zone = &mut self.zones[place.zone];
        zone.remove(&(place.load(), at));
        place.claimed = place.claimed.and(size);
        zone.insert((place.load(), at));
        spread.add(at, place.zone, true);
        place.id
    }

    /// Returns the best host of a zone, if one has room: at best one where nothing of the type is.
    fn candidate(&self, zone: usize, spread: &Spread, size: Size) -> Option<Rank> {
        let fits = |at: usize| self.places[at].takes(size);
        let without =
            self.zones[zone].iter().find(|(_, at)| !spread.hosts.contains_key(at) && fits(*at)).copied();
        if let Some((load, at)) = without {
            return Some(Rank { alike: 0, older: 0, load, at });
        }
        let here = spread.hosts.iter().filter(|(at, _)| self.places[**at].zone == zone && fits(**at));
        here.map(|(&at, &(alike, older))| Rank { alike, older, load: self.places[at].load(), at }).min()
    }

    /// Returns why there is no room for a replica of this size, as a sentence; nothing if there is.
    pub(super) fn lack(&self, size: Size) -> Option<String> {
        let ready = || self.places.iter().filter(|place| place.is_for_replicas());
        if ready().any(|place| place.takes(size)) {
            return None;
        }
        if ready().next().is_none() {
            return Some(self.nobody());
        }
        let memory = ready().map(|place| free(place.memory_mb, place.claimed.memory_mb)).max()?;
        let cpu = ready().map(|place| free(place.cpu_millicores, place.claimed.cpu_millicores)).max()?;
        Some(if memory < size.memory_mb() {
            format!("no host has {} MB of memory left for it, the most is {memory} MB", size.memory_mb())
        } else if cpu < size.cpu_millicores() {
            format!("no host has {} millicores of CPU left for it, the most is {cpu}", size.cpu_millicores())
        } else {
            let (memory, cpu) = (size.memory_mb(), size.cpu_millicores());
            format!("no host has both {memory} MB of memory and {cpu} millicores of CPU left for it")
        })
    }

    fn nobody(&self) -> String {
        let count = |standing| self.places.iter().filter(|place| place.standing == standing).count();
        let counts =
            [(Standing::Draining, "draining"), (Standing::Silent, "silent"), (Standing::Lost, "lost")];
        let told = counts.map(|(standing, word)| (count(standing), word));
        let told: Vec<String> =
            told.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if told.is_empty() {
            "no host is ready".to_owned()
        } else {
            format!("no host is ready: {}", told.join(", "))
        }
    }
}

/// Returns the host for one more replica of no particular type, such as a one-off process: where the load is least.
///
/// # Errors
/// Why there is none, as a sentence.
pub fn place_one(hosts: &[HostView], claims: &[(HostId, Size)], size: Size) -> Result<HostId, String> {
    Room::with(hosts, claims.iter().copied()).place(&mut Spread::default(), size)
}

fn free(offered: Option<u64>, claimed: u64) -> u64 {
    offered.map_or(u64::MAX, |offered| offered.saturating_sub(claimed))
}

/// Tells whether a replica may still use something of its host.
fn may_claim(replica: &ReplicaView) -> bool {
    match &replica.seen {
        Observation::Pending => true,
        Observation::Seen(seen) => seen.phase != Phase::Ended,
        Observation::Gone => false,
    }
}

/// What makes one host better than another of a zone; the least is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Replicas of the type and of the same release there.
    alike: usize,
    /// Others of the type.
    older: usize,
    load: u64,
    at: usize,
}

/// How many replicas of one type of one app are where: those that stay, and those that are there besides.
#[derive(Default)]
pub(super) struct Spread {
    hosts: HashMap<usize, (usize, usize)>,
    zones: HashMap<usize, usize>,
}

impl Spread {
    /// Counts them.
    pub(super) fn of(app: &AppView, target: &Target, process: &ProcessType, room: &Room) -> Self {
        let mut spread = Self::default();
        let there = |replica: &&ReplicaView| replica.process == *process && replica.wish != ReplicaWish::Stop;
        for replica in app.replicas.iter().filter(there) {
            if let Some(&at) = room.index.get(&replica.host) {
                spread.add(at, room.places[at].zone, replica.runs(target) && room.keeps(replica));
            }
        }
        spread
    }

    fn add(&mut self, at: usize, zone: usize, stays: bool) {
        let (alike, older) = self.hosts.entry(at).or_default();
        *if stays { alike } else { older } += 1;
        if stays {
            *self.zones.entry(zone).or_default() += 1;
        }
    }
}
