//! The simulated region as the benchmark uses it: it makes what the set-up has not, and looks without calling AWS's APIs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::extent::{EACH, Extent};
use crate::region::{Simcloud, ZONES};

/// What the instances are.
pub(crate) const TYPE: &str = "m5.large";

/// The region, with a set-up in it.
pub(crate) struct Sky {
    pub(crate) region: Simcloud,
    pub(crate) subnets: BTreeMap<String, String>,
    pub(crate) template: String,
    /// The launches that the benchmark has made.
    own: Mutex<BTreeSet<String>>,
}

/// An instance as the region shows it.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) zone: String,
    pub(crate) kind: String,
    pub(crate) image: String,
    pub(crate) address: String,
    /// The launch that it is marked with.
    pub(crate) launch: String,
}

impl Instance {
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "shutting-down" | "terminated")
    }
}

impl Sky {
    /// Makes the set-up and as many load balancers as are needed.
    pub(crate) fn open(extent: &Extent) -> Option<Self> {
        let region = Simcloud::start(&[])?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(region.set_up());
        let mut sky =
            Self { region, subnets: BTreeMap::new(), template: String::new(), own: Mutex::default() };
        sky.find();
        for number in 1..extent.balancers() {
            sky.balancer(number);
        }
        Some(sky)
    }

    fn find(&mut self) {
        let templates = self.call("ec2", "DescribeLaunchTemplates", &[]);
        self.template = texts(&templates, "launchTemplateId")[0].to_owned();
        let subnets = self.call(
            "ec2",
            "DescribeSubnets",
            &[("Filter.1.Name", "tag:paas:part"), ("Filter.1.Value.1", "public-subnet*")],
        );
        let (ids, zones) = (texts(&subnets, "subnetId"), texts(&subnets, "availabilityZone"));
        self.subnets =
            zones.iter().zip(&ids).map(|(zone, id)| ((*zone).to_owned(), (*id).to_owned())).collect();
        assert_eq!(self.subnets.len(), ZONES.len(), "{subnets}");
    }

    /// Makes a load balancer with a listener, in the same subnets, with the platform's tag.
    fn balancer(&self, number: usize) {
        let name = format!("paas-prod-{number}");
        let subnets: Vec<String> = (1..=ZONES.len()).map(|n| format!("Subnets.member.{n}")).collect();
        let mut fields = vec![
            ("Name", name.as_str()),
            ("Tags.member.1.Key", "paas:cluster"),
            ("Tags.member.1.Value", "prod"),
        ];
        fields
            .extend(subnets.iter().zip(self.subnets.values()).map(|(name, id)| (name.as_str(), id.as_str())));
        let made = self.call("elasticloadbalancing", "CreateLoadBalancer", &fields);
        let fields = [
            ("LoadBalancerArn", texts(&made, "LoadBalancerArn")[0]),
            ("Protocol", "HTTP"),
            ("Port", "80"),
            ("DefaultActions.member.1.Type", "fixed-response"),
            ("DefaultActions.member.1.FixedResponseConfig.StatusCode", "404"),
        ];
        self.call("elasticloadbalancing", "CreateListener", &fields);
    }

    /// Starts an instance as the server does for a launch, and returns its id.
    pub(crate) fn launch(&self, launch: &str, zone: &str) -> String {
        let fields = [
            ("LaunchTemplate.LaunchTemplateId", self.template.as_str()),
            ("LaunchTemplate.Version", "$Default"),
            ("InstanceType", TYPE),
            ("SubnetId", &self.subnets[zone]),
            ("ClientToken", launch),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "paas:cluster"),
            ("TagSpecification.1.Tag.1.Value", "prod"),
            ("TagSpecification.1.Tag.2.Key", "paas:launch"),
            ("TagSpecification.1.Tag.2.Value", launch),
        ];
        self.own.lock().unwrap().insert(launch.to_owned());
        texts(&self.call("ec2", "RunInstances", &fields), "instanceId")[0].to_owned()
    }

    /// Tells whether a launch was the benchmark's.
    pub(crate) fn has_launched(&self, launch: &str) -> bool {
        self.own.lock().unwrap().contains(launch)
    }

    /// Makes another image, has the launch template name it, and returns it.
    pub(crate) fn another_image(&self) -> String {
        let instances = self.instances();
        let some = instances.iter().find(|instance| instance.state == "running").unwrap();
        let made = self.call("ec2", "CreateImage", &[("InstanceId", &some.id), ("Name", "another")]);
        let image = texts(&made, "imageId")[0].to_owned();
        let fields = [
            ("LaunchTemplateId", self.template.as_str()),
            ("SourceVersion", "$Latest"),
            ("LaunchTemplateData.ImageId", &image),
        ];
        let version = self.call("ec2", "CreateLaunchTemplateVersion", &fields);
        let number = texts(&version, "versionNumber")[0];
        let fields = [("LaunchTemplateId", self.template.as_str()), ("SetDefaultVersion", number)];
        self.call("ec2", "ModifyLaunchTemplate", &fields);
        image
    }

    /// Takes a target out of each group.
    pub(crate) fn spoil(&self) {
        for (arn, group) in self.groups() {
            let targets = group["targets"].as_object().unwrap();
            let Some((id, port)) = targets.keys().next().and_then(|target| target.split_once(':')) else {
                continue;
            };
            let fields = [
                ("TargetGroupArn", arn.as_str()),
                ("Targets.member.1.Id", id),
                ("Targets.member.1.Port", port),
            ];
            self.call("elasticloadbalancing", "DeregisterTargets", &fields);
        }
    }

    /// Returns what an instance was given to read at its launch.
    pub(crate) fn user_data(&self, id: &str) -> String {
        let fields = [("InstanceId", id), ("Attribute", "userData")];
        let answer = self.call("ec2", "DescribeInstanceAttribute", &fields);
        let encoded = texts(&answer, "value").first().map_or("", |text| *text).to_owned();
        let plain = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded.trim());
        String::from_utf8(plain.unwrap()).unwrap()
    }

    /// Returns the number of healthy targets of each group, the fewest first.
    pub(crate) fn healthy(&self) -> Vec<usize> {
        let count = |group: &Value| {
            let targets = group["targets"].as_object().unwrap();
            targets.values().filter(|target| target["state"] == "healthy").count()
        };
        let mut healthy: Vec<usize> = self.groups().values().map(count).collect();
        healthy.sort_unstable();
        healthy
    }

    pub(crate) fn fewest_healthy(&self) -> usize {
        self.healthy().first().copied().unwrap_or(EACH)
    }

    pub(crate) fn instances(&self) -> Vec<Instance> {
        let shown = self.region.ask("instances");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let instance = |(id, shown): (&String, &Value)| Instance {
            id: id.clone(),
            state: text(&shown["state"]),
            zone: text(&shown["zone"]),
            kind: text(&shown["type"]),
            image: text(&shown["image"]),
            address: text(&shown["address"]),
            launch: text(&shown["tags"]["paas:launch"]),
        };
        shown.as_object().unwrap().iter().map(instance).collect()
    }

    /// Returns how many there are that were made from an image.
    pub(crate) fn count_of(&self, image: &str) -> usize {
        self.instances().iter().filter(|instance| instance.image == image && !instance.has_ended()).count()
    }

    pub(crate) fn ended(&self) -> usize {
        self.instances().iter().filter(|instance| instance.has_ended()).count()
    }

    pub(crate) fn calls(&self, after: u64) -> Vec<Value> {
        self.region.ask(&format!("calls?after={after}")).as_array().unwrap().clone()
    }

    fn groups(&self) -> BTreeMap<String, Value> {
        serde_json::from_value(self.region.ask("groups")).unwrap()
    }

    /// Makes one of AWS's calls, under a name of our own.
    fn call(&self, service: &str, action: &str, fields: &[(&str, &str)]) -> String {
        let scope = format!("AKIABENCHMARK0000000/20261121/us-east-1/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let version = if service == "ec2" { "2016-11-15" } else { "2015-12-01" };
        let form = [("Action", action), ("Version", version)].into_iter().chain(fields.iter().copied());
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(&self.region.url).header("authorization", signed);
        let mut answer = request.send_form(form).unwrap();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        assert!(answer.status().is_success(), "{action} {}: {text}", json!(fields));
        text
    }
}

/// Returns the texts of all elements of a name.
fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close)).map(|(text, _)| text).collect()
}
