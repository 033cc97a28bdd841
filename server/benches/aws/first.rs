//! The platform before its server starts, as a restart would find it: apps that were deployed with all of their replicas wanted, and
//! instances that have become hosts.

use std::path::Path;

use cloud::set_settings;
use fleet::{HostKey, fingerprint_of_request};
use jiff::{SignedDuration, Timestamp};
use model::formation::Scale;
use model::id::LaunchId;
use model::instances::{Bounds, InstanceId, InstanceType, Lifecycle, Pool, Room, Settings};
use model::name::ProcessType;
use store::{Db, HostFacts, NewLaunch, Store, Vault};

use crate::extent::{EACH, Extent};
use crate::region::{IMAGE, ZONES};
use crate::simulated::Population;
use crate::sky::{Sky, TYPE};

/// What each offers: 85 % of its memory, as the server reckons.
pub(crate) const ROOM: Room = Room { memory_mb: 8_192 * 85 / 100, cpu_millicores: 2_000 };

/// What the machine of a launch shows to join.
pub(crate) fn secret(launch: LaunchId) -> String {
    format!("secret of {launch}")
}

/// Writes it, and returns the platform's certificate.
pub(crate) fn write(data: &Path, hosts: &Path, sky: &Sky, extent: &Extent) -> String {
    std::fs::create_dir_all(data).unwrap();
    let names = extent.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let population = Population::write(data, &names, 0);
    let launched = launch(sky, extent);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_file(&data.join("paas.db")).await.unwrap();
        let vault = Vault::open_file(&data.join("secret-key")).unwrap();
        let authority = paasd::agents::Agents::open(&store, &vault).await.unwrap().authority_pem().to_owned();
        let mut tx = store.write().await.unwrap();
        let scale = Scale { quantity: u32::try_from(EACH).unwrap(), ..Scale::default() };
        for app in population.apps {
            store::set_scale(&mut tx, app, &ProcessType::web(), scale).await.unwrap();
        }
        set_settings(&mut tx, &settings(extent)).await.unwrap();
        for (launch, zone, instance) in &launched {
            write_launch(&mut tx, &vault, *launch, (zone, instance)).await;
            write_host(&mut tx, &hosts.join(instance.as_str()), *launch, (zone, instance)).await;
        }
        tx.commit().await.unwrap();
        store.close().await;
        authority
    })
}

fn launch(sky: &Sky, extent: &Extent) -> Vec<(LaunchId, &'static str, InstanceId)> {
    let of_zone = |(zone, count): (&'static str, usize)| (0..count).map(move |_| (LaunchId::new(), zone));
    let all = ZONES.into_iter().zip(extent.zones()).flat_map(of_zone);
    all.map(|(launch, zone)| (launch, zone, sky.launch(&launch.to_string(), zone).parse().unwrap())).collect()
}

async fn write_launch(db: &mut Db, vault: &Vault, launch: LaunchId, (zone, instance): (&str, &InstanceId)) {
    let pool = Pool { zone: zone.to_owned(), instance_type: TYPE.to_owned(), lifecycle: Lifecycle::OnDemand };
    let at = Timestamp::now();
    let new = NewLaunch {
        id: launch,
        pool: &pool,
        image: IMAGE,
        sealed_user_data: &vault.seal(&format!("launch/{launch}"), b"#!/bin/sh").unwrap(),
        nonce: &secret(launch),
        reason: "the benchmark begins with it",
        at,
    };
    store::create_launch(db, new).await.unwrap();
    store::set_launch_asked(db, launch, at).await.unwrap();
    store::set_launch_instance(db, launch, instance, Some(at)).await.unwrap();
}

/// Writes down that it has joined with the key in this directory.
async fn write_host(db: &mut Db, dir: &Path, launch: LaunchId, (zone, instance): (&str, &InstanceId)) {
    std::fs::create_dir_all(dir).unwrap();
    let request = HostKey::at(&dir.join("key.pem")).unwrap().request().unwrap();
    let key = fingerprint_of_request(&request).unwrap();
    let host = store::create_host(db, instance.as_str(), zone, &key).await.unwrap();
    let (memory_bytes, cpu_millicores) = (Some(ROOM.memory_mb << 20), Some(ROOM.cpu_millicores));
    let facts = HostFacts { memory_bytes, cpu_millicores, ..HostFacts::default() };
    store::set_host_facts(db, host.id, &facts).await.unwrap();
    assert!(store::set_launch_host(db, launch, (host.id, instance), Timestamp::now()).await.unwrap());
}

/// As many as there are in each zone, and up to a third more while some are replaced.
fn settings(extent: &Extent) -> Settings {
    let bounds = |count: usize| {
        let min = u32::try_from(count).unwrap();
        Bounds { min, max: min + min.div_ceil(3) }
    };
    Settings {
        zones: ZONES.map(str::to_owned).into_iter().zip(extent.zones().map(bounds)).collect(),
        schedules: Vec::new(),
        types: vec![InstanceType { name: TYPE.to_owned(), offers: ROOM }],
        spot: false,
        headroom_percent: 20,
        replaced_per_hour: 10_000,
        patience: SignedDuration::from_mins(10),
        boot: model::instances::usual_boot(),
    }
}
