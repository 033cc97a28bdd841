//! Names in a hosted zone: the server is killed at the call that makes an app's record, before AWS has carried it out and after that,
//! and in the end the record is there, once; it goes with the app.

use std::collections::BTreeSet;

use aws::setup::Wish;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::killed::is_caught;
use crate::region::Simcloud;
use crate::server::{Server, until};

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_change_of_a_record_it_leaves_the_names_that_are_wanted() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let route53 = sky.clients().await.route53;
    let made = route53.create_hosted_zone().name("example.org").caller_reference("test").send().await;
    let zone = made.unwrap().hosted_zone().unwrap().id().to_owned();
    sky.set_up_as(Wish { dns_zone: Some(zone.parse().unwrap()), ..Simcloud::wish() }).await;
    // The names in the zone that have addresses.
    let shown = || {
        let call = route53.list_resource_record_sets().hosted_zone_id(&zone).send();
        let listed = Handle::current().block_on(call).unwrap();
        let records = listed.resource_record_sets().iter().filter(|record| record.alias_target().is_some());
        records.map(|record| record.name().trim_end_matches('.').to_owned()).collect::<BTreeSet<_>>()
    };
    tokio::task::block_in_place(|| {
        let mut server = Server::start_with(&sky, &[("PAASD_DOMAIN", "apps.example.org")]);
        until("the platform's own name", || (shown() == names(["*.apps.example.org"])).then_some(()));
        server.send("POST", "/apps", &json!({ "name": "shop" }));
        let mut push = server.push("shop");
        // The one meets the first call, the other the next.
        let held = ["before", "after"].map(|when| {
            let wish =
                json!({ "service": "route53", "action": "POST .*", "hold": when, "drop": when, "times": 1 });
            sky.tell("fault", &wish)["number"].clone()
        });
        server.send("POST", "/apps/shop/domains", &json!({ "hostname": "www.example.org" }));
        for number in &held {
            until("the call", || is_caught(&sky, number).then_some(()));
            server.kill();
            sky.tell("release", &json!({ "number": number }));
            server.start_again();
        }
        let _ = push.kill();
        push.wait().unwrap();
        let both = names(["*.apps.example.org", "www.example.org"]);
        until("the app's name", || (shown() == both).then_some(()));

        server.send("DELETE", "/apps/shop", &Value::Null);
        until("the name to go", || (shown() == names(["*.apps.example.org"])).then_some(()));
    });
}
