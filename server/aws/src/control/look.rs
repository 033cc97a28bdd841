//! Looks at the machines of a platform's control plane, found by their tags.

use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};

use super::{CONTROL_PART, Machine, Seen, State};
use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::{Failure, Kind};
use crate::setup::{ClusterName, PART_TAG, Patience, bear, ours};

/// Looks at all of them.
///
/// # Errors
/// AWS does not answer for long.
pub async fn look(clients: &Clients, name: &ClusterName) -> Result<Seen, Failure> {
    bear(Patience::default(), Kind::is_passing, async || once(clients, name).await).await
}

async fn once(clients: &Clients, name: &ClusterName) -> Result<Seen, Failure> {
    let call = clients.ec2.describe_instances().filters(ours(name)).filters(controls());
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstances")?;
    let instances = all.iter().flat_map(|reservation| reservation.instances());
    let mut machines: Vec<Machine> = instances.filter_map(machine).collect();
    machines.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Seen { machines })
}

/// Returns the filter for what is the control plane's, machine or disk.
pub(crate) fn controls() -> Filter {
    Filter::builder().name(format!("tag:{PART_TAG}")).values(CONTROL_PART).build()
}

fn machine(instance: &Instance) -> Option<Machine> {
    let state = match instance.state().and_then(|state| state.name()) {
        Some(InstanceStateName::Pending) => State::Starting,
        Some(InstanceStateName::Stopping) => State::Stopping,
        Some(InstanceStateName::Stopped) => State::Stopped,
        Some(InstanceStateName::ShuttingDown) => State::Ending,
        Some(InstanceStateName::Terminated) => State::Ended,
        // A state that does not exist yet says nothing of an end.
        _ => State::Running,
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Some(Machine {
        id: instance.instance_id()?.to_owned(),
        state,
        instance_type: text(instance.instance_type().map(|kind| kind.as_str())),
        image: text(instance.image_id()),
        address: instance.private_ip_address().map(str::to_owned),
    })
}
