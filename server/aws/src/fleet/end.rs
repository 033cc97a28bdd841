//! The end of instances. A call that names one which cannot be ended ends none of them, so that it is made again in halves.

use model::instances::InstanceId;

use super::ec2::Ec2;
use crate::call::Of as _;
use crate::failure::{Failure, Kind};

/// How many are ended by one call; AWS advises against more (`TerminateInstances` in the API reference of EC2).
const AT_ONCE: usize = 100;

impl Ec2 {
    /// Ends all of them, or returns the first reason why some go on. Those that EC2 does not know are taken for ended: if one only
    /// does not show yet, it is asked for again when it does.
    pub(super) async fn end(&self, ids: &[InstanceId]) -> Result<(), Failure> {
        let mut outcome = Ok(());
        let mut batches: Vec<&[InstanceId]> = ids.chunks(AT_ONCE).rev().collect();
        while let Some(batch) = batches.pop() {
            let names = batch.iter().map(ToString::to_string).collect();
            let call = self.clients.ec2.terminate_instances().set_instance_ids(Some(names));
            let Err(failure) = call.send().await.of("ec2:TerminateInstances") else { continue };
            if is_about_one(failure.kind) && batch.len() > 1 {
                let (first, second) = batch.split_at(batch.len() / 2);
                batches.extend([second, first]);
            } else if failure.kind != Kind::Unknown {
                outcome = outcome.and(Err(failure));
            }
        }
        outcome
    }
}

/// Tells whether a failure may come of one instance among several.
fn is_about_one(kind: Kind) -> bool {
    matches!(kind, Kind::Unknown | Kind::Conflict | Kind::Denied | Kind::Refused)
}
