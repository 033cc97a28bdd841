//! Which instances there are: all of them, or nobody knows.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};
use cloud::Listed;
use model::instances::State;

use super::LAUNCH_TAG;
use super::ec2::Ec2;
use crate::call::Of as _;
use crate::failure::Failure;
use crate::setup::ours;

/// The code of EC2's reason for the end of a spot instance that it took back.
const TAKEN_BACK: &str = "Server.SpotInstanceTermination";

impl Ec2 {
    /// Returns all instances with the platform's mark and that of an order, in every state. What has only the platform's was
    /// started by hand, such as a machine for the control plane, and is none of the fleet's business.
    pub(super) async fn instances(&self) -> Result<Vec<Listed>, Failure> {
        let call = self.clients.ec2.describe_instances().filters(ours(&self.name));
        let pages = call.into_paginator().page_size(self.page).items().send();
        let all: Vec<_> = pages.try_collect().await.of("ec2:DescribeInstances")?;
        let impaired = self.impaired().await?;
        let instances = all.iter().flat_map(|reservation| reservation.instances());
        Ok(instances.filter_map(|instance| listed(instance, &impaired)).collect())
    }

    /// Returns the ids of the account's instances that fail EC2's checks, of the instance or of what it runs on. Two questions:
    /// filters of different names must all hold.
    async fn impaired(&self) -> Result<BTreeSet<String>, Failure> {
        let mut impaired = BTreeSet::new();
        for check in ["instance-status.status", "system-status.status"] {
            let filter = Filter::builder().name(check).values("impaired").build();
            let call = self.clients.ec2.describe_instance_status().filters(filter);
            let pages = call.into_paginator().page_size(self.page).items().send();
            let all: Vec<_> = pages.try_collect().await.of("ec2:DescribeInstanceStatus")?;
            impaired.extend(all.into_iter().filter_map(|status| status.instance_id));
        }
        Ok(impaired)
    }
}

fn listed(instance: &Instance, impaired: &BTreeSet<String>) -> Option<Listed> {
    let id = instance.instance_id()?;
    let mark = instance.tags().iter().find(|tag| tag.key() == Some(LAUNCH_TAG))?;
    let state = match instance.state()?.name()? {
        InstanceStateName::Pending => State::Pending,
        InstanceStateName::Running if impaired.contains(id) => State::Impaired,
        InstanceStateName::Running => State::Running,
        InstanceStateName::Stopping | InstanceStateName::Stopped => State::Stopped,
        InstanceStateName::ShuttingDown | InstanceStateName::Terminated => State::Ended,
        // A state that does not exist yet says nothing of an end.
        _ => State::Running,
    };
    let reason = instance.state_reason().filter(|_| state == State::Ended);
    let says = reason.and_then(|reason| reason.message().or(reason.code()));
    Some(Listed {
        id: id.parse().ok()?,
        launch: mark.value().and_then(|launch| launch.parse().ok()),
        state,
        // That it is to be taken back EC2 tells an instance itself, and nobody else.
        notice: reason.is_some_and(|reason| reason.code() == Some(TAKEN_BACK)),
        says: says.map(str::to_owned),
        private_ip: instance.private_ip_address().and_then(|address| address.parse().ok()),
        image: instance.image_id().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceState, StateReason, Tag};
    use model::id::LaunchId;

    use super::*;

    fn instance(state: InstanceStateName, tags: &[(&str, &str)]) -> Instance {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        Instance::builder()
            .instance_id("i-0123")
            .state(InstanceState::builder().name(state).build())
            .set_tags(Some(tags.collect()))
            .build()
    }

    #[test]
    fn an_instance_is_what_its_state_and_its_mark_say() {
        let launch = LaunchId::new();
        let text = launch.to_string();
        let of = |state, impaired: &[&str]| {
            let impaired = impaired.iter().map(|id| (*id).to_owned()).collect();
            listed(&instance(state, &[(LAUNCH_TAG, &text)]), &impaired).unwrap()
        };
        assert_eq!(of(InstanceStateName::Pending, &[]).launch, Some(launch));
        assert_eq!(of(InstanceStateName::Running, &["i-0456"]).state, State::Running);
        assert_eq!(of(InstanceStateName::Running, &["i-0123"]).state, State::Impaired);
        assert_eq!(of(InstanceStateName::Stopping, &[]).state, State::Stopped);
        assert_eq!(of(InstanceStateName::ShuttingDown, &[]).state, State::Ended);
        assert_eq!(of(InstanceStateName::from("hibernating"), &[]).state, State::Running);
    }

    #[test]
    fn why_one_ended_is_told_and_one_that_was_taken_back_is_known_as_such() {
        let of = |state, code: &str| {
            let reason = StateReason::builder().code(code).message(format!("{code}: so it is")).build();
            let one = instance(state, &[(LAUNCH_TAG, "x")]);
            let (id, tags, state) = (one.instance_id.unwrap(), one.tags, one.state);
            let one =
                Instance::builder().instance_id(id).set_tags(tags).set_state(state).state_reason(reason);
            let listed = listed(&one.build(), &BTreeSet::new()).unwrap();
            (listed.notice, listed.says)
        };
        let ended = InstanceStateName::Terminated;
        let says = |code: &str| Some(format!("{code}: so it is"));
        assert_eq!(of(ended.clone(), "Client.InternalError"), (false, says("Client.InternalError")));
        assert_eq!(of(ended, TAKEN_BACK), (true, says(TAKEN_BACK)));
        assert_eq!(of(InstanceStateName::Running, "pending"), (false, None));
    }

    #[test]
    fn what_was_started_by_hand_is_not_the_fleets() {
        let by_hand = instance(InstanceStateName::Running, &[("paas:cluster", "prod")]);
        assert_eq!(listed(&by_hand, &BTreeSet::new()), None);
        let garbled = instance(InstanceStateName::Running, &[(LAUNCH_TAG, "x")]);
        assert_eq!(listed(&garbled, &BTreeSet::new()).unwrap().launch, None);
    }
}
