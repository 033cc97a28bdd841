//! What people are told while instances come.

use serde_json::json;

use crate::region::Simcloud;
use crate::server::{Server, until};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_shows_what_each_instance_is_doing_and_the_server_offers_nothing_itself() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    sky.set_up().await;
    // One zone has none; the other two give one each.
    sky.tell("capacity", &json!({ "us-east-1c/t3.medium": 0 }));
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        let booting = |zone: &str| (zone.to_owned(), "booting".to_owned());
        until("an instance in each of two zones", || {
            (server.instances() == ["us-east-1a", "us-east-1b"].map(booting)).then_some(())
        });
        let hosts = server.get("/hosts").unwrap();
        let hosts = hosts.as_array().unwrap();
        let own = hosts.iter().find(|host| host["embedded"] == true).unwrap();
        assert_eq!((&own["memory_bytes"], &own["cpu_millicores"]), (&0.into(), &0.into()));
        let instance = hosts.iter().find(|host| host["zone"] == "us-east-1a").unwrap();
        assert_eq!((&instance["state"], &instance["name"]), (&"booting".into(), &instance["instance"]["id"]));
        assert_eq!(instance["instance"]["type"], "t3.medium");
        assert_eq!(instance["instance"]["lifecycle"], "on-demand");
    });
}
