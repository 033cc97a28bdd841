//! What the platform leaves at ports: those of a balancer that got a certificate later, and those of one that is somebody else's.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::entrance::LoadBalancers;
use aws::setup::{Entrance as Way, Patience, Wish, down};
use cloud::entrance::{Balancers as _, Check, DoorKeeper as _, Entrance, Leads, NewGroup};
use model::app::AppSettings;
use model::entrance::{Limits, group_name};
use model::id::AppId;
use serde_json::json;

use crate::door::Server;
use crate::hands::{until, wanted};
use crate::region::Simcloud;

/// Returns the names for which a port of the only balancer has rules.
async fn names_at(sky: &Simcloud, port: i32) -> BTreeSet<String> {
    let elb = sky.clients().await.elb;
    let shown = elb.describe_load_balancers().send().await.unwrap();
    let arn = shown.load_balancers()[0].load_balancer_arn().unwrap().to_owned();
    let listeners = elb.describe_listeners().load_balancer_arn(arn).send().await.unwrap();
    let listener = listeners.listeners().iter().find(|one| one.port() == Some(port)).unwrap();
    let rules = elb.describe_rules().listener_arn(listener.listener_arn().unwrap()).send().await.unwrap();
    let conditions = rules.rules().iter().flat_map(|rule| rule.conditions());
    conditions.flat_map(|one| one.host_header_config().unwrap().values().to_vec()).collect()
}

#[tokio::test]
async fn with_a_certificate_that_comes_later_nothing_stays_at_the_port_before() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.tell("times", &json!({ "boot": 0.1, "health_scale": 0.05, "drain_scale": 0.02 }));
    let balancers = Arc::new(sky.balancers().await);
    let server = Server::start(&sky).await;
    let wanted = wanted(&sky.instance().await);
    let mut hands = Entrance::new(balancers.clone(), "prod", Limits::default());
    balancers.keep(&server.wish(true)).await.unwrap();
    until(&mut hands, &wanted, 0, |outcome| !outcome.words.is_empty() && outcome.alarms.is_empty()).await;
    let both: BTreeSet<String> = ["api.apps.example.org", "shop.example.org"].map(str::to_owned).into();
    assert_eq!(names_at(&sky, 80).await, both);

    let call = sky.clients().await.iam.upload_server_certificate().server_certificate_name("apps");
    let made = call.certificate_body("a").private_key("a").send().await.unwrap();
    let certificate = made.server_certificate_metadata().map(|one| one.arn().to_owned());
    sky.set_up_as(Wish { entrance: Way::Own { certificate }, ..Simcloud::wish() }).await;
    for hour in 1..5 {
        until(&mut hands, &wanted, hour, |outcome| outcome.alarms.is_empty()).await;
        let (before, now) = (names_at(&sky, 80).await, names_at(&sky, 443).await);
        assert!(before.union(&now).any(|name| name == "shop.example.org"), "{before:?} {now:?}");
    }
    for _ in 0..2 {
        balancers.keep(&server.wish(true)).await.unwrap();
    }
    assert_eq!(names_at(&sky, 443).await, both);
    assert_eq!(names_at(&sky, 80).await, [].into());
}

#[tokio::test]
async fn a_platform_that_goes_takes_its_rules_from_a_balancer_that_stays() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let of_the_owner = sky.balancers().await;
    let elb = sky.clients().await.elb;
    let shown = elb.describe_load_balancers().send().await.unwrap();
    let arn = shown.load_balancers()[0].load_balancer_arn().unwrap().to_owned();
    let guest =
        LoadBalancers::new(Arc::new(sky.clients().await), "guest".parse().unwrap(), vec![arn.clone()]);
    for (platform, balancers, host) in
        [("prod", &of_the_owner, "shop.example.org"), ("guest", &guest, "guest.example.org")]
    {
        let listed = balancers.balancers().await.unwrap().remove(0);
        let app = AppId::new();
        let new = NewGroup {
            name: group_name(platform, app, &listed.name),
            app,
            balancer: listed.name.clone(),
            network: listed.network.clone(),
            check: Check::of(&AppSettings::default()),
        };
        let group = balancers.create_group(&new).await.unwrap();
        let leads = Leads { hosts: [host.parse().unwrap()].into(), group };
        let priority = if platform == "prod" { 1_000 } else { 1_010 };
        balancers.create_rule(&listed.listener, priority, &leads).await.unwrap();
    }
    let entrance = Way::Adopted { balancer: arn };
    let wish = Wish { name: "guest".parse().unwrap(), entrance, ..Simcloud::wish() };
    down(&sky.clients().await, &wish, false, Patience::default(), |_| {}).await.unwrap();
    assert_eq!(guest.groups().await.unwrap(), []);
    assert_eq!(of_the_owner.groups().await.unwrap().len(), 1);
    assert_eq!(names_at(&sky, 80).await, ["shop.example.org".to_owned()].into());
}
