//! What the control plane runs on, where `aws:server` started it: it is paid for, too.

use aws_sdk_ec2::types::{Instance, InstanceStateName, Volume, VolumeState};
use model::cost::Control;

use crate::call::Of as _;
use crate::clients::Clients;
use crate::control::controls;
use crate::failure::{Failure, Kind};
use crate::setup::{ClusterName, ours};

/// Returns its machines that are paid for, and its disks, which are whether or not it runs.
pub(super) async fn paid_control(clients: &Clients, name: &ClusterName) -> Result<Control, Failure> {
    let call = clients.ec2.describe_instances().filters(ours(name)).filters(controls());
    let all: Vec<_> = call.into_paginator().items().send().try_collect().await.of("ec2:DescribeInstances")?;
    let instances: Vec<_> = all.iter().flat_map(|reservation| reservation.instances()).collect();
    let call = clients.ec2.describe_volumes().filters(ours(name)).filters(controls());
    let disks: Result<Vec<_>, _> =
        call.into_paginator().items().send().try_collect().await.of("ec2:DescribeVolumes");
    match disks {
        Ok(disks) => Ok(paid_for(&instances, &disks)),
        // The role of an older set-up may not ask for them.
        Err(failure) if failure.kind == Kind::Denied => Ok(paid_for(&instances, &[])),
        Err(failure) => Err(failure),
    }
}

fn paid_for(instances: &[&Instance], disks: &[Volume]) -> Control {
    let runs = |instance: &&&Instance| {
        let state = instance.state().and_then(|state| state.name());
        matches!(state, Some(InstanceStateName::Pending | InstanceStateName::Running))
    };
    let running: Vec<_> = instances.iter().filter(runs).collect();
    let types = running.iter().filter_map(|instance| instance.instance_type());
    let mut types: Vec<_> = types.map(|kind| kind.as_str().to_owned()).collect();
    types.sort();
    let addresses = running.iter().filter(|instance| instance.public_ip_address().is_some()).count();
    let is_there =
        |disk: &&Volume| !matches!(disk.state(), Some(VolumeState::Deleting | VolumeState::Deleted));
    let sizes = disks.iter().filter(is_there).filter_map(|disk| u32::try_from(disk.size()?).ok());
    Control {
        types,
        addresses: u32::try_from(addresses).unwrap_or(u32::MAX),
        disk_gb: sizes.fold(0, u32::saturating_add),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceState, InstanceType};

    use super::*;

    fn instance(state: InstanceStateName, address: Option<&str>) -> Instance {
        let state = InstanceState::builder().name(state).build();
        let kind = InstanceType::T3Medium;
        let address = address.map(str::to_owned);
        Instance::builder().state(state).instance_type(kind).set_public_ip_address(address).build()
    }

    #[test]
    fn a_machine_that_ended_is_not_paid_for_and_its_disk_is() {
        let old = instance(InstanceStateName::Terminated, None);
        let new = instance(InstanceStateName::Running, Some("192.0.2.1"));
        let disk = |size, state| Volume::builder().size(size).state(state).build();
        let disks =
            [disk(40, VolumeState::Available), disk(8, VolumeState::InUse), disk(9, VolumeState::Deleting)];
        let both = paid_for(&[&old, &new], &disks);
        assert_eq!(both, Control { types: vec!["t3.medium".to_owned()], addresses: 1, disk_gb: 48 });
        assert_eq!(paid_for(&[&old], &disks[..1]), Control { disk_gb: 40, ..Control::default() });
    }
}
