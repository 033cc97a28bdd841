//! An order, as EC2 takes it: the launch template with what differs from host to host.

use aws_sdk_ec2::types::{
    InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceType, LaunchTemplateSpecification,
    MarketType, ResourceType, SpotInstanceType, SpotMarketOptions, Tag, TagSpecification,
};
use cloud::Order;
use model::instances::{InstanceId, Lifecycle};

use super::LAUNCH_TAG;
use super::ec2::Ec2;
use super::ground::Ground;
use crate::call::Of as _;
use crate::failure::{Failure, Kind};
use crate::setup::CLUSTER_TAG;

const ACTION: &str = "ec2:RunInstances";

impl Ec2 {
    /// Asks for one instance, in the same words each time: the order's identity is the token by which EC2 knows it again. The SDK
    /// never repeats this call (`crate::reading`).
    ///
    /// The image is that of a version of the template, and not one that is named here: the platform's rights allow no other.
    pub(super) async fn order(&self, ground: &Ground, order: &Order) -> Result<InstanceId, Failure> {
        let pool = &order.pool;
        let refused = |message: String| Failure {
            kind: Kind::Refused,
            action: ACTION,
            code: "not asked".into(),
            message,
        };
        let subnet = ground.subnets.get(&pool.zone);
        let subnet = subnet.ok_or_else(|| refused(format!("the set-up has no subnet in {}", pool.zone)))?;
        let version = ground.version_with(&order.image);
        let version = version.ok_or_else(|| {
            refused(format!("no version of the launch template has the image {}", order.image))
        })?;
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(&ground.template)
            .version(version.to_string());
        let call = self.clients.ec2.run_instances();
        let call = call
            .client_token(order.launch.to_string())
            .launch_template(template.build())
            .instance_type(InstanceType::from(pool.instance_type.as_str()))
            .subnet_id(subnet)
            .user_data(aws_smithy_types::base64::encode(&order.user_data))
            .min_count(1)
            .max_count(1)
            .set_instance_market_options(market(pool.lifecycle))
            .set_tag_specifications(Some(self.marks(order)));
        let answer = call.send().await.of("ec2:RunInstances")?;
        let id = answer.instances().first().and_then(|instance| instance.instance_id());
        id.and_then(|id| id.parse().ok()).ok_or_else(|| Failure {
            kind: Kind::Lost,
            action: ACTION,
            code: "unclear".into(),
            message: "the answer names no instance".to_owned(),
        })
    }

    /// Returns the marks of what is started: whose it is, which order's, and a name for people.
    fn marks(&self, order: &Order) -> Vec<TagSpecification> {
        let tags = [
            ("Name", format!("paas-{} host", self.name)),
            (CLUSTER_TAG, self.name.to_string()),
            (LAUNCH_TAG, order.launch.to_string()),
        ];
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).to_vec();
        let marked =
            |kind| TagSpecification::builder().resource_type(kind).set_tags(Some(tags.clone())).build();
        [ResourceType::Instance, ResourceType::Volume].map(marked).to_vec()
    }
}

fn market(lifecycle: Lifecycle) -> Option<InstanceMarketOptionsRequest> {
    if lifecycle == Lifecycle::OnDemand {
        return None;
    }
    let spot = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate);
    let market = InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot);
    Some(market.spot_options(spot.build()).build())
}
