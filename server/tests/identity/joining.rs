//! A machine boots, and is a host.

use std::sync::atomic::Ordering::SeqCst;

use fleet::{Maintenance, Notice, Told};
use jiff::Timestamp;

use crate::desk::Desk;
use crate::machine::Machine;
use crate::metadata::MetadataService;
use crate::sky::{INSTANCE, Sky, ZONE};
use crate::until;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_becomes_a_host_by_itself_once_the_cloud_shows_it() {
    let sky = Sky::new();
    let desk = Desk::open(&sky).await;
    let metadata = MetadataService::start(&sky.identity(|_| {})).await;
    metadata.boots.store(2, SeqCst);
    let mut machine = Machine::boot(&desk, &metadata);
    machine.wait_for_log("gives no token", 1);
    machine.wait_for_log("it may take a moment", 1);
    assert!(desk.hosts().await.is_empty());
    assert!(machine.has_secret(), "it is needed for the next attempt");
    sky.show(desk.launch);
    machine.wait_for_log("this is host", 1);
    let hosts = desk.hosts().await;
    assert_eq!((hosts.len(), hosts[0].name.as_str(), hosts[0].zone.as_str()), (1, INSTANCE, ZONE));
    assert_eq!(desk.ordered().await.host, Some(hosts[0].id));
    assert!(!machine.has_secret());
    assert_eq!(desk.events().await, [format!("it joined as a host, zone {ZONE}")]);

    // From now on it knows who it is, also when it was killed before it removed the secret.
    machine.kill();
    machine.write_options();
    machine.start();
    machine.wait_for_log(&format!("this is host {INSTANCE} ({})", hosts[0].id), 2);
    until("the secret to be gone", || (!machine.has_secret()).then_some(()));
    assert_eq!(desk.hosts().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_answer_is_lost_or_that_is_killed_meanwhile_is_one_host_all_the_same() {
    let sky = Sky::new();
    let desk = Desk::open(&sky).await;
    sky.show(desk.launch);
    let metadata = MetadataService::start(&sky.identity(|_| {})).await;
    desk.loses.store(1_000, SeqCst);
    let mut machine = Machine::boot(&desk, &metadata);
    machine.wait_for_log("it tries again", 1);
    machine.kill();
    assert_eq!(desk.hosts().await.len(), 1, "the server took it in");
    desk.loses.store(1, SeqCst);
    machine.start();
    machine.wait_for_log("this is host", 1);
    assert_eq!(desk.hosts().await.len(), 1);
    assert_eq!(desk.events().await.len(), 1, "nobody is warned of it: {:?}", desk.events().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_not_let_in_ends_with_the_reason() {
    let sky = Sky::new();
    let desk = Desk::open(&sky).await;
    sky.show(desk.launch);
    let metadata =
        MetadataService::start(&sky.identity(|document| document["imageId"] = "ami-2".into())).await;
    let mut machine = Machine::boot(&desk, &metadata);
    assert!(!machine.wait_for_end().success());
    machine.wait_for_log("the image is ami-2, and ami-1 was expected", 1);
    assert!(desk.hosts().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_says_that_it_is_due_for_maintenance_or_taken_back() {
    let sky = Sky::new();
    let desk = Desk::open(&sky).await;
    sky.show(desk.launch);
    let metadata = MetadataService::start(&sky.identity(|_| {})).await;
    let machine = Machine::boot(&desk, &metadata);
    machine.wait_for_log("this is host", 1);
    let host = desk.hosts().await[0].id;
    metadata.tell("meta-data/events/recommendations/rebalance", r#"{"noticeTime": "2026-11-21T12:00:00Z"}"#);
    let notice = until("the recommendation", || desk.notices.of(host));
    assert_eq!(notice, Told { notice: Some(Notice { ends_at: None }), maintenance: None });
    let planned =
        r#"[{"NotBefore": "23 Nov 2026 09:00:43 GMT", "Code": "instance-retirement", "State": "active"}]"#;
    metadata.tell("meta-data/events/maintenance/scheduled", planned);
    let at: Timestamp = "2026-11-23T09:00:43Z".parse().unwrap();
    let due = Some(Maintenance { begins_at: Some(at) });
    until("the maintenance", || desk.notices.of(host).filter(|told| told.maintenance == due));
    metadata.tell("meta-data/events/maintenance/scheduled", "[]");
    until("its end", || desk.notices.of(host).filter(|told| told.maintenance.is_none()));
    // The machine slept, and its token is no good any more.
    metadata.token.store(2, SeqCst);
    metadata
        .tell("meta-data/spot/instance-action", r#"{"action": "terminate", "time": "2026-11-21T12:02:00Z"}"#);
    let ends_at: Timestamp = "2026-11-21T12:02:00Z".parse().unwrap();
    until("the notice", || desk.notices.of(host)?.notice?.ends_at.filter(|at| *at == ends_at));
    assert!(desk.notices.all().into_keys().eq([host]));
}
