//! Tags of load balancers, target groups and rules. `ELBv2` lists things without them and tells those of twenty at a time, so that what
//! was told of groups and rules is remembered: only the platform tags those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws_sdk_elasticloadbalancingv2::types::Tag;

use crate::call::Of as _;
use crate::clients::Clients;
use crate::failure::Failure;

/// How many resources a call may ask the tags of.
const AT_ONCE: usize = 20;

/// The tags of one resource.
pub(super) type Tagged = BTreeMap<String, String>;

/// What was told so far, by ARN.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<BTreeMap<String, Tagged>>);

impl Tags {
    /// Returns the tags of these resources, which are all of one kind: `kind` begins their ARNs' last parts. Those of others of
    /// that kind are forgotten.
    pub(super) async fn of(
        &self,
        clients: &Clients,
        kind: &str,
        arns: &[String],
    ) -> Result<BTreeMap<String, Tagged>, Failure> {
        let mut tags = self.known();
        let missing: Vec<String> = arns.iter().filter(|arn| !tags.contains_key(*arn)).cloned().collect();
        let told = ask(clients, &missing).await?;
        tags.extend(told.clone());
        let asked: BTreeSet<&String> = arns.iter().collect();
        tags.retain(|arn, _| asked.contains(arn));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(told);
        all.retain(|arn, _| asked.contains(arn) || !arn.contains(kind));
        Ok(tags)
    }

    fn known(&self) -> BTreeMap<String, Tagged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Asks for the tags of these resources, whatever was told before.
pub(super) async fn ask(clients: &Clients, arns: &[String]) -> Result<BTreeMap<String, Tagged>, Failure> {
    let mut told = BTreeMap::new();
    for some in arns.chunks(AT_ONCE) {
        let call = clients.elb.describe_tags().set_resource_arns(Some(some.to_vec()));
        let answer = call.send().await.of("elasticloadbalancing:DescribeTags")?;
        for of in answer.tag_descriptions() {
            let Some(arn) = of.resource_arn() else { continue };
            let tag = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
            told.insert(arn.to_owned(), of.tags().iter().filter_map(tag).collect());
        }
    }
    Ok(told)
}
