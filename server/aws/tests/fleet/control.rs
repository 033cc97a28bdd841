//! The control plane's machine in the place of one that ended: a minute or a day ago, and with the same address; and a builder in
//! the place of one that did.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use aws::Clients;
use aws::bake::{Baking, Engine, Next as Baked, Program, Progress as Bakes, Recipe, bake};
use aws::control::{ControlError, Ground, Machine, Next, Progress, look, start};
use aws::setup::Asked;
use cloud::Cloud as _;
use model::cost::Control;
use serde_json::json;
use tokio::sync::Notify;

use crate::region::{IMAGE, Simcloud};

/// Clients and ground of the set-up.
async fn prepare(sky: &Simcloud) -> (Clients, Ground) {
    sky.set_up().await;
    let clients = sky.clients().await;
    let asked = Asked { image: Some(IMAGE.to_owned()), subnet: None, instance_type: None };
    let ground = Ground::find(&clients, &Simcloud::wish(), asked).await.unwrap();
    (clients, ground)
}

/// Has one run, and returns it with the steps that were told.
async fn run((clients, ground): &(Clients, Ground)) -> Result<(Machine, Vec<Next>), ControlError> {
    let (name, mut steps) = (Simcloud::wish().name, Vec::new());
    let tell = |progress: Progress<'_>| {
        if let Progress::Begins(step) = progress {
            steps.push(step.clone());
        }
    };
    let script = || Ok("#!/bin/sh\n".to_owned());
    let machine = start(clients, &name, (ground, 8), script, tell).await?;
    Ok((machine, steps))
}

#[tokio::test]
async fn one_that_ended_a_day_ago_is_made_up_for_at_once() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let account = prepare(&sky).await;
    let mut earlier: Vec<String> = Vec::new();
    sky.tell("times", &json!({ "shown": 0.0 }));
    let since = Instant::now();
    for _ in 0..3 {
        let (machine, _) = run(&account).await.unwrap();
        assert!(!earlier.contains(&machine.id), "{machine:?}");
        sky.tell("kill", &json!({ "instance_id": machine.id, "how": "terminate" }));
        while !look(&account.0, &Simcloud::wish().name).await.unwrap().machines.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        earlier.push(machine.id);
    }
    assert!(since.elapsed() < Duration::from_secs(45), "each token was waited for: {:?}", since.elapsed());
}

#[tokio::test]
async fn what_it_runs_on_is_part_of_what_the_platform_pays_for() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let account = prepare(&sky).await;
    let nothing = sky.ec2().await.site().await.unwrap().control.unwrap();
    assert_eq!(nothing, Control::default());
    let (machine, _) = run(&account).await.unwrap();
    let control = sky.ec2().await.site().await.unwrap().control.unwrap();
    assert_eq!((control.types, control.disk_gb), (vec![machine.instance_type], 8));
}

#[tokio::test]
async fn the_one_before_is_outlasted_since_it_has_the_address() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let account = prepare(&sky).await;
    let (before, _) = run(&account).await.unwrap();
    assert_eq!(before.address.as_deref(), Some("10.20.0.10"));
    sky.tell("times", &json!({ "stop": 5.0 }));
    sky.tell("kill", &json!({ "instance_id": before.id, "how": "terminate" }));
    let (after, steps) = run(&account).await.unwrap();
    assert_eq!(steps[..2], [Next::Outlast(before.id.clone()), Next::Ask], "{steps:?}");
    assert!(after.id != before.id && after.address == before.address, "{after:?}");
}

#[tokio::test]
async fn an_address_that_stays_taken_is_not_given_up() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let account = prepare(&sky).await;
    let taken = json!({ "service": "ec2", "action": "RunInstances", "code": "InvalidIPAddress.InUse" });
    sky.tell("fault", &taken);
    let error = run(&account).await.unwrap_err();
    assert!(
        matches!(error, ControlError::AddressTaken(address) if address.to_string() == "10.20.0.10"),
        "{error}"
    );
    assert!(look(&account.0, &Simcloud::wish().name).await.unwrap().machines.is_empty());
}

#[tokio::test]
async fn a_builder_whose_token_is_used_up_is_asked_for_with_the_next_one_at_once() {
    let Some(sky) = Simcloud::start(&[]) else { return };
    let (clients, ground) = prepare(&sky).await;
    let asked = Asked { image: Some(ground.image), subnet: None, instance_type: None };
    let ground = aws::bake::Ground::find(&clients, &Simcloud::wish(), asked).await.unwrap();
    let program = Program::read(Path::new("/bin/true")).unwrap();
    let recipe = Recipe {
        base: ground.base.clone(),
        engine: Engine::Sandbox,
        paasd: program.digest.clone(),
        uv: None,
        warm: BTreeSet::new(),
        renewed: None,
    };
    let used_up = json!({ "service": "ec2", "action": "RunInstances", "code": "IdempotentInstanceTerminated", "times": 1 });
    sky.tell("fault", &used_up);
    let (name, works) = (Simcloud::wish().name, Notify::new());
    let tell = |progress: Bakes<'_>| {
        if let Bakes::Begins(Baked::Watch(_)) = progress {
            works.notify_one();
        }
    };
    let (programs, recipe) = (&[program][..], &recipe);
    let baking = Baking { clients: &clients, name: &name, ground: &ground, recipe, programs };
    tokio::select! {
        baked = bake(baking, tell) => panic!("no builder works here: {baked:?}"),
        () = works.notified() => {}
    }
    assert_eq!(sky.calls("ec2 RunInstances"), 2);
}
