//! Roles and the profiles that give them to machines.

use aws_sdk_iam::types::Tag;
use serde_json::json;

use super::{Making, done, missing};
use crate::call::Of as _;
use crate::failure::{Failure, Kind};
use crate::setup::look::{POLICY, policy_of};
use crate::setup::{Part, Who};

impl Making<'_> {
    pub(super) async fn role(&self, who: Who) -> Result<String, Failure> {
        let part = Part::Role(who);
        let name = self.wish.name.of(&part);
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "ec2.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        });
        let call =
            self.clients.iam.create_role().role_name(&name).assume_role_policy_document(trust.to_string());
        let call = call.description(format!("{} of the platform {}", who.words(), self.wish.name));
        call.set_tags(Some(self.iam_tags(&part)?)).send().await.of("iam:CreateRole")?;
        Ok(name)
    }

    fn iam_tags(&self, part: &Part) -> Result<Vec<Tag>, Failure> {
        let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
        self.tags(part).map(tag).into_iter().collect::<Result<_, _>>().map_err(|error| Failure {
            kind: Kind::Refused,
            action: "iam:TagRole",
            code: "no tag".into(),
            message: error.to_string(),
        })
    }

    pub(super) async fn set_policy(&self, who: Who) -> Result<(), Failure> {
        let part = Part::Role(who);
        let policy =
            policy_of(self.wish, self.found, self.clients, who).ok_or_else(|| missing(&Part::Vpc))?;
        let call = self.clients.iam.put_role_policy().role_name(self.id(&part)?).policy_name(POLICY);
        call.policy_document(policy.to_string()).send().await.of("iam:PutRolePolicy").map(drop)
    }

    pub(super) async fn profile(&self, who: Who) -> Result<String, Failure> {
        let part = Part::Profile(who);
        let name = self.wish.name.of(&part);
        let call = self.clients.iam.create_instance_profile().instance_profile_name(&name);
        call.set_tags(Some(self.iam_tags(&part)?)).send().await.of("iam:CreateInstanceProfile")?;
        Ok(name)
    }

    pub(super) async fn set_role(&self, who: Who) -> Result<(), Failure> {
        let call = self.clients.iam.add_role_to_instance_profile();
        let call =
            call.instance_profile_name(self.id(&Part::Profile(who))?).role_name(self.id(&Part::Role(who))?);
        done(call.send().await.of("iam:AddRoleToInstanceProfile").map(drop))
    }
}
