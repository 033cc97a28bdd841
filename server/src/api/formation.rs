//! The formation: how many replicas of each type are wanted, and how many are there.

use std::collections::BTreeMap;

use model::formation::Quantity;
use model::name::ProcessType;
use model::plan::ReplicaWish;
use model::procfile::ProcessTable;
use model::replica::Phase;
use model::size::Size;
use serde_json::{Value, json};
use store::{FormationEntry, Replica, Serving};

use super::answer::{Answer, time};
use super::apps::{app_ref, current_release};
use super::call::Call;
use super::error::ApiError;
use super::fields::Fields;
use super::reference::size_ref;
use crate::deploy::{self, ScaleUpdate};

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(entries(&call).await?, &["type", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(one(&call, call.parameter("process")).await?))
}

/// Several types at once; `quantity` may be relative, `+1`.
pub(super) async fn scale(call: Call) -> Result<Answer, ApiError> {
    let updates = updates(&call.fields)?;
    deploy::scale(&call.platform, call.actor(), call.app(), &updates).await?;
    Ok(noting(Answer::list(entries(&call).await?, &["type", "id"]), &updates))
}

/// One type, by name or id.
pub(super) async fn scale_one(call: Call) -> Result<Answer, ApiError> {
    let name = call.parameter("process");
    let entries = store::list_formation(&mut *call.read().await?, call.app().id).await?;
    let known = entries.iter().find(|entry| entry.id.to_string() == name).map(|entry| entry.process.clone());
    let process = match known {
        Some(process) => process,
        None => name.parse()?,
    };
    let updates = [update(process.clone(), &call.fields)?];
    deploy::scale(&call.platform, call.actor(), call.app(), &updates).await?;
    Ok(noting(Answer::ok(one(&call, process.as_str()).await?), &updates))
}

pub(super) fn updates(fields: &Fields) -> Result<Vec<ScaleUpdate>, ApiError> {
    let read = |fields: Fields| {
        let process =
            fields.name("type")?.ok_or_else(|| ApiError::invalid("`type` is missing in an update"))?;
        update(process, &fields)
    };
    fields.objects("updates")?.into_iter().map(read).collect()
}

fn update(process: ProcessType, fields: &Fields) -> Result<ScaleUpdate, ApiError> {
    let quantity = fields.text("quantity")?.map(|text| text.parse::<Quantity>()).transpose();
    let quantity = quantity.map_err(|error| ApiError::invalid(error.to_string()))?;
    let size = match fields.get("dyno_size").or_else(|| fields.get("size")) {
        Some(Value::String(name)) => Some(name.clone()),
        Some(Value::Object(size)) => size.get("name").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let size = size.map(|name| name.parse::<Size>()).transpose().map_err(ApiError::invalid)?;
    Ok(ScaleUpdate { process, quantity, size })
}

fn noting(answer: Answer, updates: &[ScaleUpdate]) -> Answer {
    updates.iter().fold(answer, |answer, update| {
        let quantity = update.quantity.map(|quantity| match quantity {
            Quantity::Exactly(n) => n.to_string(),
            Quantity::Relative(n) => format!("{n:+}"),
        });
        let size = update.size.map(Size::as_str);
        answer.noting(update.process.as_str(), json!({ "quantity": quantity, "size": size }))
    })
}

async fn one(call: &Call, name: &str) -> Result<Value, ApiError> {
    let found = entries(call).await?.into_iter().find(|entry| entry["type"] == name || entry["id"] == name);
    found.ok_or_else(|| ApiError::not_found("process_type").hint("`paasctl ps` shows the process types"))
}

async fn entries(call: &Call) -> Result<Vec<Value>, ApiError> {
    let mut db = call.read().await?;
    let app = call.app();
    let formation = store::list_formation(&mut db, app.id).await?;
    let slug = current_release(&mut db, app).await?.and_then(|release| release.slug);
    let manifest = match slug {
        Some(slug) => store::find_slug(&mut db, slug.id).await?.map(|slug| slug.manifest),
        None => None,
    };
    let commands = manifest.map(|manifest| manifest.processes).unwrap_or_default();
    let observed = observed(call, &mut db).await?;
    Ok(formation.iter().map(|entry| shown(call, entry, &commands, &observed)).collect())
}

/// Counts the healthy replicas of what serves.
async fn observed(call: &Call, db: &mut store::Db) -> Result<BTreeMap<ProcessType, usize>, ApiError> {
    let mut counts = BTreeMap::new();
    let Some(serving) = call.app().serving else { return Ok(counts) };
    for replica in store::list_replicas(db, call.app().id).await? {
        let status = call.platform.facts.status(replica.host_id, replica.id);
        let healthy = status.is_some_and(|status| status.phase == Phase::Healthy);
        if healthy && serves(&replica, serving) {
            *counts.entry(replica.process).or_default() += 1;
        }
    }
    Ok(counts)
}

/// During a restart the old and the new replicas have the same release and are told apart by their generation.
fn serves(replica: &Replica, serving: Serving) -> bool {
    let of = Serving { version: replica.version, generation: replica.generation };
    replica.wish == ReplicaWish::Run && of == serving
}

fn shown(
    call: &Call,
    entry: &FormationEntry,
    commands: &ProcessTable,
    observed: &BTreeMap<ProcessType, usize>,
) -> Value {
    json!({
        "id": entry.id,
        "type": entry.process,
        "quantity": entry.scale.quantity,
        "size": entry.scale.size,
        "dyno_size": size_ref(entry.scale.size),
        "command": commands.get(&entry.process).map_or("", String::as_str),
        "observed": observed.get(&entry.process).copied().unwrap_or_default(),
        "app": app_ref(call.app()),
        "created_at": time(entry.created_at),
        "updated_at": time(entry.updated_at),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::id::{AppId, HostId, ReplicaId};
    use model::release::Version;

    use super::*;

    #[test]
    fn a_restart_does_not_count_twice() {
        let serving = Serving { version: Version(3), generation: 7 };
        let old = Replica {
            id: ReplicaId::new(),
            app_id: AppId::new(),
            version: serving.version,
            generation: serving.generation,
            process: ProcessType::web(),
            number: 1,
            host_id: HostId::new(),
            wish: ReplicaWish::Run,
            command: None,
            size: Size::default(),
            replace: false,
            operation_id: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let new = Replica { id: ReplicaId::new(), generation: 8, ..old.clone() };
        assert_eq!([&old, &new].map(|replica| serves(replica, serving)), [true, false]);
        let after = Serving { generation: 8, ..serving };
        assert_eq!([&old, &new].map(|replica| serves(replica, after)), [false, true]);
        assert!(!serves(&Replica { wish: ReplicaWish::Stop, ..old }, serving), "it is leaving");
    }
}
