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

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_is_set_up_for_hosts_is_said_where_people_look_and_not_with_every_attempt() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    tokio::task::block_in_place(|| {
        let mut server = Server::start(&sky);
        let told = |server: &mut Server| -> Vec<String> {
            let events = server.get("/fleet/events").unwrap_or_default();
            let all = events.as_array().cloned().unwrap_or_default();
            let says = all.iter().filter_map(|event| event["message"].as_str());
            says.filter(|says| says.starts_with("what was set up for hosts is not found"))
                .map(str::to_owned)
                .collect()
        };
        let first = until("the event", || told(&mut server).pop());
        assert!(first.contains(": ec2:Describe"), "{first}");
        // The server has another attempt after twenty seconds.
        std::thread::sleep(std::time::Duration::from_secs(25));
        assert_eq!(told(&mut server), [first]);
    });
}
