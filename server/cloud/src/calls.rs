//! Calls to a cloud with a time limit each. One that hangs is one that may have been done.

use std::time::Duration;

use model::instances::{InstanceId, Refusal};

use crate::provider::{Cloud, Listed, Order, Refused};

/// How long one call may take, attempts included.
const CALL: Duration = Duration::from_secs(45);

pub(crate) async fn list(cloud: &dyn Cloud) -> Result<Vec<Listed>, String> {
    match tokio::time::timeout(CALL, cloud.list()).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer()),
    }
}

pub(crate) async fn launch(cloud: &dyn Cloud, order: &Order) -> Result<InstanceId, Refused> {
    match tokio::time::timeout(CALL, cloud.launch(order)).await {
        Ok(answer) => answer,
        Err(_) => Err(Refused { refusal: Refusal::Unanswered, says: no_answer() }),
    }
}

pub(crate) async fn terminate(cloud: &dyn Cloud, ids: &[InstanceId]) -> Result<(), String> {
    match tokio::time::timeout(CALL, cloud.terminate(ids)).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> String {
    format!("the cloud did not answer within {} s", CALL.as_secs())
}
