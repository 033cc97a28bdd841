//! A platform with replicas that want room: hosts join from what boots, and replicas are put where there is some.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cloud::{Fleet, Ledger, Recipe, Surroundings, set_settings};
use jiff::{SignedDuration, Timestamp};
use model::id::HostId;
use model::instances::{Bounds, InstanceType, Room, Settings, Sizes, Tenant};
use model::plan::Standing;
use model::size::Size;
use store::{HostState, Store, Transaction, Vault};

use crate::made_up::MadeUp;

const TURN: SignedDuration = SignedDuration::from_secs(15);
/// So many turns without a decision are a rest: whatever is waited for takes less, 20 minutes of them.
pub(crate) const REST: usize = 80;

const JOINS: SignedDuration = SignedDuration::from_secs(45);
pub(crate) const OFFERS: Room = Room { memory_mb: 4096, cpu_millicores: 2_000 };

pub(crate) fn settings(max: u32) -> Settings {
    Settings {
        zones: ["a", "b", "c"].map(|zone| (zone.to_owned(), Bounds { min: 0, max })).into(),
        schedules: Vec::new(),
        types: vec![InstanceType { name: "small".to_owned(), offers: OFFERS }],
        spot: true,
        headroom_percent: 0,
        replaced_per_hour: 50,
        patience: SignedDuration::from_mins(5),
        boot: model::instances::usual_boot(),
    }
}

/// The image that tests change.
pub(crate) struct Image(pub(crate) String);

impl Recipe for Image {
    fn image(&self) -> String {
        self.0.clone()
    }

    fn user_data(&self, secret: &str) -> String {
        format!("#!/bin/sh\npaasd agent --join-token {secret}\n")
    }
}

/// A ledger whose writer may die before it writes.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) store: Store,
    sky: MadeUp,
}

#[async_trait]
impl Ledger for Book {
    async fn read(&self) -> store::Result<Transaction> {
        self.store.read().await
    }

    async fn write(&self) -> store::Result<Option<Transaction>> {
        let fault = {
            let mut sky = self.sky.sky.lock().unwrap();
            sky.calls += 1;
            sky.faults.pop_front()
        };
        if matches!(fault, Some(crate::made_up::Fault::DiesBefore | crate::made_up::Fault::DiesAfter)) {
            self.sky.died.notify_one();
            return std::future::pending().await;
        }
        self.store.write().await.map(Some)
    }
}

pub(crate) struct World {
    _dir: tempfile::TempDir,
    pub(crate) store: Store,
    vault: Arc<Vault>,
    pub(crate) sky: MadeUp,
    pub(crate) image: String,
    fleet: Fleet<Book>,
    /// Where each replica is.
    pub(crate) replicas: Vec<Option<HostId>>,
    pub(crate) died: usize,
    /// Hosts that may be taken back.
    pub(crate) risks: BTreeSet<HostId>,
    /// Hosts whose machines are due for maintenance.
    pub(crate) maintenance: BTreeMap<HostId, String>,
}

impl World {
    pub(crate) async fn new(max: u32) -> Self {
        // In memory, where there is one: what is on disk after a power loss is not what is tested here.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let store = Store::open_file(&dir.path().join("paas.db")).await.unwrap();
        let vault = Arc::new(Vault::open_file(&dir.path().join("secret-key")).unwrap());
        let mut tx = store.write().await.unwrap();
        set_settings(&mut tx, &settings(max)).await.unwrap();
        tx.commit().await.unwrap();
        let sky = MadeUp::default();
        sky.sky.lock().unwrap().now = Timestamp::from_second(1_800_000_000).unwrap();
        let image = "ami-1".to_owned();
        let fleet = hands(&store, &sky, &vault, &image);
        Self {
            _dir: dir,
            store,
            vault,
            sky,
            image,
            fleet,
            replicas: Vec::new(),
            died: 0,
            risks: BTreeSet::new(),
            maintenance: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.sky.sky.lock().unwrap().now
    }

    /// Lets the process that decides begin anew.
    pub(crate) fn restart(&mut self) {
        self.fleet = hands(&self.store, &self.sky, &self.vault, &self.image);
    }

    pub(crate) fn want(&mut self, count: usize) {
        self.replicas.resize(count, None);
    }

    /// Takes a turn; whoever dies in it is started again for the next. Tells whether something was decided.
    pub(crate) async fn turn(&mut self) -> bool {
        self.sky.sky.lock().unwrap().now += TURN;
        self.join().await;
        let around = self.look().await;
        let now = self.now();
        let died = self.sky.died.clone();
        let decided = tokio::select! {
            decision = self.fleet.turn(&around, now) => Some(decision.unwrap()),
            () = died.notified() => None,
        };
        match decided {
            Some(decision) => !decision.actions.is_empty(),
            None => {
                self.died += 1;
                self.restart();
                true
            }
        }
    }

    /// Takes turns until nothing was decided for a while.
    pub(crate) async fn settle(&mut self) {
        let mut idle = 0;
        for _ in 0..2_000 {
            idle = if self.turn().await { 0 } else { idle + 1 };
            if idle == REST {
                return;
            }
        }
        panic!("the fleet does not come to rest: {:?}", self.fleet.alarms());
    }

    pub(crate) fn alive(&self) -> BTreeMap<String, usize> {
        let mut zones = BTreeMap::new();
        for made in self.sky.sky.lock().unwrap().made.values().filter(|made| !made.ended) {
            *zones.entry(made.pool.zone.clone()).or_default() += 1;
        }
        zones
    }

    /// Returns what people were told and holds this text, the oldest first.
    pub(crate) async fn told(&self, text: &str) -> Vec<String> {
        let events = store::list_fleet_events(&mut self.store.read().await.unwrap(), 1_000).await.unwrap();
        let told = events.into_iter().rev().map(|event| event.message);
        told.filter(|message| message.contains(text)).collect()
    }

    /// What must be so when all has come to rest: each order is one instance, and each instance an order's.
    pub(crate) async fn is_whole(&self) {
        let launches = store::list_launches(&mut self.store.read().await.unwrap()).await.unwrap();
        let alive: usize = self.alive().values().sum();
        assert_eq!(launches.len(), alive, "{launches:#?}");
        assert!(launches.iter().all(|launch| launch.host.is_some()));
        assert!(self.replicas.iter().all(Option::is_some), "{:?}", self.fleet.alarms());
        let hosts = store::list_hosts(&mut self.store.read().await.unwrap()).await.unwrap();
        assert_eq!(hosts.len(), alive, "a host is removed with its instance");
    }

    /// What has booted becomes a host.
    async fn join(&self) {
        let launches = store::list_launches(&mut self.store.read().await.unwrap()).await.unwrap();
        let made = self.sky.sky.lock().unwrap().made.clone();
        for (id, made) in
            made.iter().filter(|(_, made)| !made.ended && self.now().duration_since(made.born) >= JOINS)
        {
            if launches.iter().any(|launch| launch.id == made.launch && launch.host.is_some()) {
                continue;
            }
            let mut tx = self.store.write().await.unwrap();
            let nonce = made.user_data.rsplit(' ').next().unwrap().trim();
            let Some(launch) = store::find_launch_by_nonce(&mut tx, nonce).await.unwrap() else { continue };
            assert_eq!(launch.id, made.launch);
            let host = store::create_host(&mut tx, id.as_str(), &made.pool.zone, id.as_str()).await.unwrap();
            if store::set_launch_host(&mut tx, launch.id, (host.id, id), self.now()).await.unwrap() {
                tx.commit().await.unwrap();
            }
        }
    }

    /// Puts replicas where there is room, and says what there is.
    async fn look(&mut self) -> Surroundings {
        let mut db = self.store.read().await.unwrap();
        let states: BTreeMap<HostId, HostState> =
            store::list_hosts(&mut db).await.unwrap().iter().map(|host| (host.id, host.state)).collect();
        drop(db);
        let standing = |host: &HostId| states.get(host).copied();
        let mut count: BTreeMap<HostId, u32> = BTreeMap::new();
        for host in self.replicas.iter().flatten() {
            *count.entry(*host).or_default() += 1;
        }
        let mut waiting = Sizes::default();
        for place in &mut self.replicas {
            let here = place.as_ref().and_then(standing);
            if here == Some(HostState::Ready) {
                continue;
            }
            let size = Size::default();
            let ready = states.iter().filter(|(_, state)| **state == HostState::Ready).map(|(host, _)| *host);
            let mut free = ready
                .filter(|host| OFFERS.without(size, count.get(host).copied().unwrap_or(0)).takes(size) > 0);
            match free.next() {
                Some(host) => {
                    if let Some(count) = place.and_then(|old| count.get_mut(&old)) {
                        *count -= 1;
                    }
                    *count.entry(host).or_default() += 1;
                    *place = Some(host);
                }
                None => {
                    waiting.add(size);
                    place.take_if(|_| here.is_none());
                }
            }
        }
        let tenant = |(host, state): (&HostId, &HostState)| {
            let mut holds = Sizes::default();
            holds.add_many(Size::default(), count.get(host).copied().unwrap_or(0));
            let standing = if *state == HostState::Ready { Standing::Ready } else { Standing::Draining };
            (*host, Tenant { standing, lost_since: None, offers: OFFERS, holds })
        };
        let hosts = states.iter().map(tenant).collect();
        Surroundings {
            hosts,
            risks: self.risks.clone(),
            maintenance: self.maintenance.clone(),
            waiting,
            visited: Some(BTreeSet::new()),
            ..Surroundings::default()
        }
    }
}

fn hands(store: &Store, sky: &MadeUp, vault: &Arc<Vault>, image: &str) -> Fleet<Book> {
    let book = Book { store: store.clone(), sky: sky.clone() };
    Fleet::new(book, Arc::new(sky.clone()), vault.clone(), Arc::new(Image(image.to_owned())))
}
