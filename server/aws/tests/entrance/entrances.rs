//! Load balancers and instances of a simulated region.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::entrance::LoadBalancers;
use aws_sdk_ec2::types::{InstanceStateName, LaunchTemplateSpecification};

use crate::region::Simcloud;

impl Simcloud {
    /// Makes the set-up and returns its load balancers.
    pub(crate) async fn balancers(&self) -> LoadBalancers {
        let name = self.set_up().await;
        self.balancers_of(name.as_str()).await
    }

    /// Returns the load balancers of a platform of this name.
    pub(crate) async fn balancers_of(&self, name: &str) -> LoadBalancers {
        LoadBalancers::new(Arc::new(self.clients().await), name.parse().unwrap(), Vec::new())
    }

    /// Starts an instance in the set-up's network and returns its id once it runs.
    pub(crate) async fn instance(&self) -> String {
        let ec2 = self.clients().await.ec2;
        let template = LaunchTemplateSpecification::builder().launch_template_name("paas-prod-host").build();
        let subnets = ec2.describe_subnets().send().await.unwrap();
        let mut ours = subnets
            .subnets()
            .iter()
            .filter(|one| one.tags().iter().any(|tag| tag.key() == Some("paas:part")));
        let subnet = ours.next().unwrap().subnet_id().unwrap();
        let call = ec2.run_instances().launch_template(template).subnet_id(subnet).min_count(1).max_count(1);
        let made = call.send().await.unwrap();
        let id = made.instances()[0].instance_id().unwrap().to_owned();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let seen = ec2.describe_instances().instance_ids(&id).send().await.unwrap();
            let state = seen.reservations()[0].instances()[0].state().and_then(|state| state.name()).cloned();
            if state == Some(InstanceStateName::Running) {
                return id;
            }
            assert!(Instant::now() < deadline, "{state:?}");
        }
    }
}
