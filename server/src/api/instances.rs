//! What hosts are as instances of a cloud, and instances that are no hosts yet or never will be.

use serde_json::{Value, json};
use store::Host;

use super::answer::time;
use super::host_use;
use super::reference::merge;
use crate::instances::Doing;

/// Returns what a host is as an instance; nothing of one that somebody added.
pub(super) fn of_host(instances: &[Doing], host: &Host) -> Value {
    instances.iter().find(|one| one.host() == Some(host.id)).map_or(Value::Null, instance)
}

/// Returns those that are no hosts, each as a host on which nothing is and from which nothing was heard.
pub(super) fn without_host(instances: &[Doing], hosts: &[Host]) -> Vec<Value> {
    let is_host = |one: &&Doing| hosts.iter().any(|host| one.host() == Some(host.id));
    instances.iter().filter(|one| !is_host(one)).map(as_host).collect()
}

/// Returns the one of this name or order, unless it is a host, of which there is more to tell.
pub(super) fn named(instances: &[Doing], name: &str) -> Option<Value> {
    let is_named = |one: &&Doing| one.name() == name || one.launch.id.to_string() == name;
    instances.iter().filter(|one| one.host().is_none()).find(is_named).map(as_host)
}

fn instance(one: &Doing) -> Value {
    let (launch, pool) = (&one.launch, &one.launch.pool);
    json!({
        "launch": launch.id,
        "id": launch.instance,
        "type": pool.instance_type,
        "lifecycle": pool.lifecycle,
        "zone": pool.zone,
        "image": launch.image,
        "doing": one.word(),
        "reason": one.reason(),
        "since": time(one.since()),
    })
}

fn as_host(one: &Doing) -> Value {
    let mut value = json!({
        "id": one.launch.id,
        "name": one.name(),
        "zone": one.launch.pool.zone,
        "state": one.word(),
        "reason": one.reason(),
        "since": time(one.since()),
        "embedded": false,
        "memory_bytes": null,
        "memory_free_bytes": null,
        "cpu_millicores": null,
        "cpu_free_millicores": null,
        "replicas": 0,
        "version": null,
        "engine": null,
        "address": null,
        "entry_port": null,
        "last_seen_at": null,
        "drill": 0,
        "instance": instance(one),
        "created_at": time(one.launch.decided_at),
        "updated_at": time(one.since()),
    });
    merge(&mut value, host_use::fields(None));
    value
}
