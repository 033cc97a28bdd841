//! Names in a hosted zone, which others have records in, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::dns::{Names, ZoneId};
use aws::setup::{Patience, Wish, down, look, up};
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use cloud::entrance::{Balancers as _, NamesWish, RecordKeeper as _};
use serde_json::json;

use crate::region::Simcloud;

struct Zone {
    route53: aws_sdk_route53::Client,
    id: ZoneId,
}

impl Zone {
    async fn make(sky: &Simcloud) -> Self {
        let route53 = sky.clients().await.route53;
        let call = route53.create_hosted_zone().name("example.org").caller_reference("test");
        let made = call.send().await.unwrap();
        Self { id: made.hosted_zone().unwrap().id().parse().unwrap(), route53 }
    }

    /// Adds a record as somebody else does.
    async fn add(&self, name: &str, address: &str) {
        let value = ResourceRecord::builder().value(address).build().unwrap();
        let record = ResourceRecordSet::builder().name(name).r#type(RrType::A).ttl(60);
        let record = record.resource_records(value).build().unwrap();
        self.change(ChangeAction::Create, record).await;
    }

    /// Takes all weight from a record of the platform.
    async fn turn_off(&self, name: &str) {
        let call = self.route53.list_resource_record_sets().hosted_zone_id(self.id.as_str());
        let listed = call.send().await.unwrap();
        let found = listed.resource_record_sets().iter().find(|one| one.name().starts_with(name));
        let mut record = found.unwrap().clone();
        record.weight = Some(0);
        self.change(ChangeAction::Upsert, record).await;
    }

    async fn change(&self, action: ChangeAction, record: ResourceRecordSet) {
        let change = Change::builder().action(action).resource_record_set(record);
        let batch = ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
        let call = self.route53.change_resource_record_sets().hosted_zone_id(self.id.as_str());
        call.change_batch(batch).send().await.unwrap();
    }

    /// Returns where each name leads.
    async fn shown(&self) -> BTreeMap<String, String> {
        let call = self.route53.list_resource_record_sets().hosted_zone_id(self.id.as_str());
        let listed = call.send().await.unwrap();
        let of_hosts = listed.resource_record_sets().iter().filter(|record| *record.r#type() == RrType::A);
        let leads = |record: &ResourceRecordSet| {
            let alias = record.alias_target().map(|alias| alias.dns_name().trim_end_matches('.').to_owned());
            alias.unwrap_or_else(|| record.resource_records()[0].value().to_owned())
        };
        let name = |record: &ResourceRecordSet| record.name().trim_end_matches('.').replace("\\052", "*");
        of_hosts.map(|record| (name(record), leads(record))).collect()
    }
}

fn app(host: &str, on: &str) -> (std::collections::BTreeSet<model::name::Hostname>, Option<String>) {
    ([host.parse().unwrap()].into(), Some(on.to_owned()))
}

fn shown<const N: usize>(of: [(&str, &str); N]) -> BTreeMap<String, String> {
    of.map(|(name, on)| (name.to_owned(), on.to_owned())).into()
}

#[tokio::test]
async fn names_follow_their_apps_and_others_records_stay() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let balancers = Arc::new(sky.balancers().await);
    let clients = Arc::new(sky.clients().await);
    let zone = Zone::make(&sky).await;
    // The set-up is told of the zone, and has a second balancer.
    let wish = Wish { balancers: Some(2), dns_zone: Some(zone.id.clone()), ..Simcloud::wish() };
    up(&clients, &wish, Patience::default(), |_| {}).await.unwrap();
    let listed = balancers.balancers().await.unwrap();
    let [one, two] = &listed[..] else { panic!("{listed:?}") };
    let (one, two) = (one.address.as_str(), two.address.as_str());
    let wrong = Wish { dns_zone: Some("Z404".parse().unwrap()), ..wish.clone() };
    let stopped = up(&clients, &wrong, Patience::default(), |_| {}).await.unwrap_err();
    assert!(stopped.to_string().contains("Z404"), "{stopped}");
    up(&clients, &wish, Patience::default(), |_| {}).await.unwrap();
    zone.add("mail.example.org", "192.0.2.1").await;
    zone.add("www.example.org", "192.0.2.2").await;

    let names = Names::new(clients.clone(), wish.name.clone());
    let always = || true;
    let mut wanted = NamesWish {
        domain: "apps.example.org".parse().unwrap(),
        control: "api.apps.example.org".parse().unwrap(),
        balancers: listed.clone(),
        apps: vec![
            app("shop.apps.example.org", one),
            app("blog.apps.example.org", two),
            app("www.example.org", two),
        ],
    };
    let kept = names.keep_names(&wanted, &always).await.unwrap();
    assert_eq!(kept.changed, 2);
    assert_eq!(kept.alarms.len(), 1, "{:?}", kept.alarms);
    assert!(kept.alarms[0].starts_with("www.example.org has a record"), "{:?}", kept.alarms);
    let others = [("mail.example.org", "192.0.2.1"), ("www.example.org", "192.0.2.2")];
    let mut there = shown([("*.apps.example.org", one), ("blog.apps.example.org", two)]);
    there.extend(shown(others));
    assert_eq!(zone.shown().await, there);
    assert_eq!(names.keep_names(&wanted, &always).await.unwrap().changed, 0);

    wanted.apps = vec![app("shop.apps.example.org", two)];
    // One change that Route 53 refuses keeps no other one out.
    let fault =
        json!({ "service": "route53", "action": "POST .*", "code": "InvalidChangeBatch", "times": 2 });
    sky.tell("fault", &fault);
    let kept = names.keep_names(&wanted, &always).await.unwrap();
    assert_eq!((kept.changed, kept.alarms.len()), (1, 1), "{:?}", kept.alarms);
    assert_eq!(names.keep_names(&wanted, &always).await.unwrap().changed, 1);
    let mut there = shown([("*.apps.example.org", one), ("shop.apps.example.org", two)]);
    there.extend(shown(others));
    assert_eq!(zone.shown().await, there);

    // Somebody turns one of ours into something else.
    zone.turn_off("shop.apps.example.org").await;
    assert_eq!(names.keep_names(&wanted, &always).await.unwrap().changed, 1);
    assert_eq!(names.keep_names(&wanted, &always).await.unwrap().changed, 0);

    let nothing = NamesWish { apps: Vec::new(), ..wanted };
    let kept = names.keep_names(&nothing, &|| false).await.unwrap();
    assert_eq!(kept.changed, 0, "who does not lead changes nothing");
    assert_eq!(zone.shown().await, there);

    // Whoever sets up again, or takes all down, finds the zone by itself.
    let again = Wish { dns_zone: None, ..wish.clone() };
    let found = look(&clients, &again, Patience::default()).await.unwrap();
    assert_eq!(found.dns_zone, Some(zone.id.clone()));
    down(&clients, &again, true, Patience::default(), |_| {}).await.unwrap();
    assert_eq!(zone.shown().await, shown(others));
}
