//! What runs on the region's instances: an agent on each, from when the region shows it as running until its end.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::AGENTS;
use crate::first::{ROOM, secret};
use crate::identity::Signer;
use crate::simulated::{Door, Host, Joining, Journal, Manner, begin};
use crate::sky::{Instance, Sky};

/// How often it is looked which instances there are.
const LOOK: Duration = Duration::from_secs(2);

/// How many join at a time.
const JOINING: usize = 16;

const MANNER: Manner = Manner {
    memory_mb: ROOM.memory_mb,
    cpu_millicores: ROOM.cpu_millicores,
    own_ports: true,
    ..Manner::LARGE
};

/// The machines. Dropped, they fall silent.
pub(crate) struct Machines {
    crew: Arc<Crew>,
    runtime: Option<Runtime>,
}

struct Crew {
    sky: Arc<Sky>,
    signer: Signer,
    authority: String,
    dir: PathBuf,
    journal: Arc<Journal>,
    joining: Semaphore,
    stop: AtomicBool,
    machines: Mutex<BTreeMap<String, Machine>>,
}

struct Machine {
    instance: Instance,
    stop: CancellationToken,
    host: Option<Arc<Host>>,
}

impl Machines {
    /// Makes a key to sign with; nothing boots yet.
    pub(crate) fn open(sky: &Arc<Sky>, authority: String, dir: &Path) -> Self {
        let crew = Crew {
            sky: Arc::clone(sky),
            signer: Signer::generate(dir),
            authority,
            dir: dir.to_owned(),
            journal: Arc::default(),
            joining: Semaphore::new(JOINING),
            stop: AtomicBool::new(false),
            machines: Mutex::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { crew: Arc::new(crew), runtime: Some(runtime.unwrap()) }
    }

    /// Lets machines boot from now on.
    pub(crate) fn boot(&self) {
        let (crew, runtime) = (Arc::clone(&self.crew), self.runtime.as_ref().unwrap().handle().clone());
        std::thread::spawn(move || {
            while !crew.stop.load(Relaxed) {
                for instance in crew.sky.instances() {
                    if instance.has_ended() {
                        crew.end(&instance.id);
                    } else if instance.state == "running" && crew.is_new(&instance) {
                        runtime.spawn(Arc::clone(&crew).run(instance));
                    }
                }
                std::thread::sleep(LOOK);
            }
        });
    }

    /// Returns the file with the certificates that identities are checked with.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.crew.signer.certificates()
    }

    /// Returns how many hosts there are.
    pub(crate) fn joined(&self) -> usize {
        self.crew.lock().values().filter(|machine| machine.host.is_some()).count()
    }

    /// Returns how many of them were made from an image.
    pub(crate) fn joined_from(&self, image: &str) -> usize {
        let machines = self.crew.lock();
        machines.values().filter(|machine| machine.host.is_some() && machine.instance.image == image).count()
    }
}

impl Crew {
    fn is_new(&self, instance: &Instance) -> bool {
        let mut machines = self.lock();
        let is_new = !machines.contains_key(&instance.id);
        if is_new {
            let (instance, stop) = (instance.clone(), CancellationToken::new());
            machines.insert(instance.id.clone(), Machine { instance, stop, host: None });
        }
        is_new
    }

    /// Joins, and keeps in touch until its end.
    async fn run(self: Arc<Self>, instance: Instance) {
        let _turn = self.joining.acquire().await.unwrap();
        let Some(stop) = self.lock().get(&instance.id).map(|machine| machine.stop.clone()) else { return };
        let (crew, id) = (Arc::clone(&self), instance.id.clone());
        let made = tokio::task::spawn_blocking(move || (crew.door(&instance), crew.joining(&instance)));
        let (door, joining) = made.await.unwrap();
        let host = begin(joining, door, stop).await;
        if let Some(machine) = self.lock().get_mut(&id) {
            machine.host = Some(host);
        }
    }

    fn end(&self, id: &str) {
        if let Some(machine) = self.lock().remove(id) {
            machine.stop.cancel();
        }
    }

    fn door(&self, instance: &Instance) -> Door {
        let secret = match self.sky.has_launched(&instance.launch) {
            true => secret(instance.launch.parse().unwrap()),
            false => launch_secret(&self.sky.user_data(&instance.id)),
        };
        Door::Launch { secret, identity: self.signer.identity(instance), authority: self.authority.clone() }
    }

    fn joining(&self, instance: &Instance) -> Joining {
        let address: Ipv4Addr = instance.address.parse().unwrap();
        Joining {
            // Whoever calls an address that is this computer's in passing calls from it.
            server: SocketAddr::from((address, AGENTS)),
            answers: SocketAddr::from((address, 0)),
            number: usize::from(address.octets()[3]),
            manner: MANNER,
            dir: self.dir.join(&instance.id),
            journal: Arc::clone(&self.journal),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Machine>> {
        self.machines.lock().unwrap()
    }
}

/// Returns the secret from what a machine reads when it boots.
fn launch_secret(user_data: &str) -> String {
    let line = user_data.lines().find_map(|line| line.strip_prefix("launch-secret = "));
    line.unwrap_or_else(|| panic!("no secret in {user_data}")).trim_matches('"').to_owned()
}

impl Drop for Machines {
    fn drop(&mut self) {
        self.crew.stop.store(true, Relaxed);
        for machine in self.crew.lock().values() {
            machine.stop.cancel();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
