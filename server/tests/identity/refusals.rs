//! Who is not let in: each witness is missing or false once, and what opened the door once opens it no more.

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use fleet::{About, Enrol, HostKey, InstanceIdentity};
use futures::future::join_all;
use http_body_util::BodyExt as _;
use model::instances::{Cause, Wish};
use paasd::agents::Refusal;
use tempfile::TempDir;

use crate::desk::{Desk, SECRET};
use crate::sky::{INSTANCE, Sky};

const HERE: [u8; 4] = [127, 0, 0, 1];

/// A machine that wants to be let in, with a key of its own.
struct Applicant(TempDir);

impl Applicant {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn asks(&self, identity: &InstanceIdentity, secret: &str) -> Enrol {
        let InstanceIdentity { document, signature } = identity.clone();
        let key = HostKey::at(&Path::new(self.0.path()).join("key.pem")).unwrap();
        let (secret, about) = (secret.to_owned(), About::default());
        Enrol { secret, document, signature, request: key.request().unwrap(), about }
    }
}

/// Returns how a refusal looks from outside.
async fn said(refusal: Refusal) -> (StatusCode, String) {
    let response = refusal.into_response();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    (status, body["message"].as_str().unwrap().to_owned())
}

async fn open() -> (Arc<Sky>, Arc<Desk>) {
    let sky = Sky::new();
    let desk = Desk::open(&sky).await;
    (sky, desk)
}

#[tokio::test]
async fn without_each_witness_nobody_is_let_in() {
    let (sky, desk) = open().await;
    let genuine = sky.identity(|_| {});
    let applicant = Applicant::new();
    let asked = applicant.asks(&genuine, SECRET);
    let (status, message) = said(desk.enrol(asked, HERE).await.unwrap_err()).await;
    assert_eq!(status, StatusCode::CONFLICT, "the cloud does not show it yet: {message}");
    sky.show(desk.launch);

    let forged = Sky::new().identity(|_| {});
    let changed =
        InstanceIdentity { document: genuine.document.replace("127.0.0.1", "127.0.0.2"), ..genuine.clone() };
    let stranger = sky.identity(|document| document["accountId"] = "210987654321".into());
    let elsewhere = sky.identity(|document| document["availabilityZone"] = "us-east-1b".into());
    let other = sky.identity(|document| document["instanceId"] = "i-0aaaaaaaaaaaaaaaa".into());
    let half = sky.identity(|document| drop(document.as_object_mut().unwrap().remove("privateIp")));
    let wrong = [
        (&forged, SECRET, HERE, "not signed with a key"),
        (&changed, SECRET, HERE, "not the one that was signed"),
        (&stranger, SECRET, HERE, "another account"),
        (&elsewhere, SECRET, HERE, "the zone"),
        (&half, SECRET, HERE, "does not say what it should"),
        (&genuine, SECRET, [127, 0, 0, 2], "the address it calls from"),
        (&genuine, "", HERE, "the launch secret is unknown"),
        (&genuine, "unknown", HERE, "the launch secret is unknown"),
    ];
    for (identity, secret, from, why) in wrong {
        let refusal = desk.enrol(applicant.asks(identity, secret), from).await.unwrap_err();
        let (status, message) = said(refusal).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{message}");
        assert!(message.contains(why), "{message}");
    }
    let (status, message) = said(desk.enrol(applicant.asks(&other, SECRET), HERE).await.unwrap_err()).await;
    assert_eq!(status, StatusCode::CONFLICT, "the cloud shows none of that name: {message}");
    let nonsense = Enrol { request: "nonsense".to_owned(), ..applicant.asks(&genuine, SECRET) };
    let (status, _) = said(desk.enrol(nonsense, HERE).await.unwrap_err()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(desk.hosts().await.is_empty());
    assert!(desk.ordered().await.host.is_none());
}

#[tokio::test]
async fn what_let_an_instance_in_lets_nobody_in_again_and_people_hear_of_it_once() {
    let (sky, desk) = open().await;
    sky.show(desk.launch);
    let genuine = sky.identity(|_| {});
    let (first, thief) = (Applicant::new(), Applicant::new());
    let joined = desk.enrol(first.asks(&genuine, SECRET), HERE).await.unwrap();
    assert_eq!(joined.name, INSTANCE);
    let again = desk.enrol(first.asks(&genuine, SECRET), HERE).await.unwrap();
    assert_eq!(again.host, joined.host, "the answer was lost, and its key is the same");
    assert_eq!(desk.events().await.len(), 1);
    let mut answers = Vec::new();
    for secret in [SECRET, "unknown", SECRET] {
        answers.push(said(desk.enrol(thief.asks(&genuine, secret), HERE).await.unwrap_err()).await);
    }
    assert_eq!(answers[0].0, StatusCode::FORBIDDEN);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let events = desk.events().await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains("another key") && events[0].contains("127.0.0.1"), "{events:?}");
    assert_eq!(desk.hosts().await.len(), 1);
}

#[tokio::test]
async fn of_many_that_come_with_one_secret_at_once_one_is_let_in() {
    let (sky, desk) = open().await;
    sky.show(desk.launch);
    let genuine = sky.identity(|_| {});
    let applicants: Vec<Applicant> = (0..8).map(|_| Applicant::new()).collect();
    let asked = applicants.iter().map(|applicant| desk.enrol(applicant.asks(&genuine, SECRET), HERE));
    let answers = join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert_eq!(said(refusal).await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(desk.hosts().await.len(), 1);
}

#[tokio::test]
async fn a_launch_that_is_not_wanted_any_more_lets_nobody_in() {
    let (sky, desk) = open().await;
    sky.show(desk.launch);
    let end = Wish::End { since: jiff::Timestamp::now(), cause: Cause::Surplus };
    let mut tx = desk.store.write().await.unwrap();
    store::set_launch_wish(&mut tx, desk.launch, end).await.unwrap();
    tx.commit().await.unwrap();
    let asked = Applicant::new().asks(&sky.identity(|_| {}), SECRET);
    let (status, message) = said(desk.enrol(asked, HERE).await.unwrap_err()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(message.contains("not wanted any more"), "{message}");
    assert!(desk.hosts().await.is_empty());
}
