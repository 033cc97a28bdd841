//! Lists that are the same for everybody: one region, one stack, the sizes; and empty ones that Heroku's tools ask for.

use std::sync::OnceLock;

use model::size::Size;
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;

/// Ids of things that exist once and have no row; fixed, so that tools may keep them.
const REGION_ID: &str = "00000000-0000-4000-8000-000000000001";
const STACK_ID: &str = "00000000-0000-4000-8000-000000000002";

/// When the fixed things came to be, as far as clients care.
const EPOCH: &str = "2026-01-01T00:00:00Z";

pub(super) async fn none(_: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(Vec::new(), &["id"]))
}

/// Heroku's tools expect 404 for an app in no pipeline.
pub(super) async fn no_coupling(_: Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found("pipeline_coupling"))
}

pub(super) async fn regions(_: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(vec![full_region()], &["name", "id"]))
}

pub(super) async fn region(call: Call) -> Result<Answer, ApiError> {
    one(&[full_region()], call.parameter("region"), "region")
}

pub(super) async fn stacks(_: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(vec![full_stack()], &["name", "id"]))
}

pub(super) async fn stack(call: Call) -> Result<Answer, ApiError> {
    one(&[full_stack()], call.parameter("stack"), "stack")
}

pub(super) async fn sizes(_: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(Size::ALL.into_iter().map(full_size).collect(), &["name", "id"]))
}

pub(super) async fn size(call: Call) -> Result<Answer, ApiError> {
    let sizes: Vec<Value> = Size::ALL.into_iter().map(full_size).collect();
    one(&sizes, call.parameter("size"), "dyno_size")
}

fn one(all: &[Value], wanted: &str, resource: &'static str) -> Result<Answer, ApiError> {
    let is =
        |value: &Value, key: &str| value[key].as_str().is_some_and(|text| text.eq_ignore_ascii_case(wanted));
    let found = all.iter().find(|value| is(value, "id") || is(value, "name"));
    found.cloned().map(Answer::ok).ok_or_else(|| ApiError::not_found(resource))
}

/// Returns the region as other objects name it. Heroku's CLI shows it unless it is `us`.
pub(super) fn region_ref() -> Value {
    json!({ "id": REGION_ID, "name": "us" })
}

/// Returns the stack as other objects name it.
pub(super) fn stack_ref() -> Value {
    json!({ "id": STACK_ID, "name": stack_name() })
}

/// Returns the base system that builds and runs share.
pub(super) fn stack_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        std::fs::read_to_string("/etc/os-release").map_or_else(|_| named(""), |text| named(&text))
    })
}

/// Returns `ID-VERSION_ID` of an os-release file, as in os-release(5).
fn named(os_release: &str) -> String {
    let field = |key: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let id = field("ID").unwrap_or_else(|| "linux".to_owned());
    field("VERSION_ID").map_or_else(|| id.clone(), |version| format!("{id}-{version}"))
}

fn full_region() -> Value {
    let mut region = region_ref();
    let more = json!({
        "description": "This installation", "country": "", "locale": "", "private_capable": false,
        "provider": { "name": "self-hosted", "region": "local" }, "created_at": EPOCH, "updated_at": EPOCH,
    });
    merge(&mut region, more);
    region
}

fn full_stack() -> Value {
    let mut stack = stack_ref();
    merge(
        &mut stack,
        json!({ "state": "public", "default": true, "created_at": EPOCH, "updated_at": EPOCH }),
    );
    stack
}

/// Returns a size as other objects name it.
pub(super) fn size_ref(size: Size) -> Value {
    let number = Size::ALL.iter().position(|other| *other == size).unwrap_or_default();
    json!({ "id": format!("00000000-0000-4000-8000-0000000001{number:02}"), "name": size.as_str() })
}

fn full_size(size: Size) -> Value {
    let mut value = size_ref(size);
    #[expect(clippy::cast_precision_loss, reason = "a handful of gigabytes")]
    let memory = size.memory_mb() as f64 / 1024.0;
    let more = json!({
        "memory": memory, "compute": size.cpu_shares() / 1024, "cost": null, "dedicated": false,
        "architecture": std::env::consts::ARCH, "generation": { "id": STACK_ID, "name": "cedar" },
        "precise_dyno_units": null, "private_space_only": false,
    });
    merge(&mut value, more);
    value
}

/// Adds the fields of one object to another.
pub(super) fn merge(value: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        fields.extend(more);
    }
}
