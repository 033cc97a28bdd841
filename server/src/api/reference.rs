//! Lists that are the same for everybody: one region, two stacks, the sizes; and empty ones that Heroku's tools ask for.

use model::size::Size;
use model::stack::{BuildStack, CONTAINER};
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use crate::platform::Platform;

/// Ids of things that exist once and have no row; fixed, so that tools may keep them.
const REGION_ID: &str = "00000000-0000-4000-8000-000000000001";
const STACK_ID: &str = "00000000-0000-4000-8000-000000000002";
const CONTAINER_ID: &str = "00000000-0000-4000-8000-000000000004";

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

pub(super) async fn stacks(call: Call) -> Result<Answer, ApiError> {
    Ok(Answer::list(full_stacks(&call.platform).to_vec(), &["name", "id"]))
}

pub(super) async fn stack(call: Call) -> Result<Answer, ApiError> {
    one(&full_stacks(&call.platform), call.parameter("stack"), "stack")
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

/// Returns the stack of that name as other objects name it. A slug knows the name that the base system had when it was built.
pub(super) fn stack_ref(name: &str) -> Value {
    let id = if name == CONTAINER { CONTAINER_ID } else { STACK_ID };
    json!({ "id": id, "name": name })
}

/// Returns the name of what builds make a slug of: for buildpacks that of the base system that builds and runs share.
pub(super) fn name_of(platform: &Platform, stack: BuildStack) -> &str {
    match stack {
        BuildStack::Buildpacks => platform.builder.stack(),
        BuildStack::Container => CONTAINER,
    }
}

/// Returns the stack that a name or an id stands for.
pub(super) fn stack_of(platform: &Platform, text: &str) -> Result<BuildStack, ApiError> {
    let is = |stack: &BuildStack| {
        let known = stack_ref(name_of(platform, *stack));
        known["name"] == text || known["id"] == text
    };
    BuildStack::ALL.into_iter().find(is).ok_or_else(|| {
        let names = BuildStack::ALL.map(|stack| name_of(platform, stack)).join(" and ");
        ApiError::invalid(format!("there is no stack `{}`", model::wording::plain(text, 40)))
            .hint(format!("the stacks are {names}"))
    })
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

fn full_stacks(platform: &Platform) -> [Value; 2] {
    BuildStack::ALL.map(|stack| {
        let mut value = stack_ref(name_of(platform, stack));
        let default = stack == BuildStack::default();
        let more = json!({ "state": "public", "default": default, "created_at": EPOCH, "updated_at": EPOCH });
        merge(&mut value, more);
        value
    })
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
