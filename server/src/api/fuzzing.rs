//! Doors into what is private here, for the targets in `fuzz/`. They decide nothing, and are compiled only by
//! cargo-fuzz, which sets `--cfg fuzzing`. What is refused comes back as the JSON that a client gets.

use axum::http::{HeaderMap, HeaderValue, header};
use model::app::AppSettings;
use model::config::ConfigVars;
use model::name::{AppName, BranchName, Hostname, ProcessType};
use serde_json::Value;

use super::error::ApiError;
use super::fields::Fields;
use super::paging::Range;
use super::{config_vars, formation, settings};

type Read<T> = Result<T, String>;

fn told(error: ApiError) -> String {
    error.body().to_string()
}

/// Reads the value of each field in each way, and returns all refusals.
///
/// # Errors
/// It is no body.
pub fn fields(body: &[u8]) -> Read<Vec<String>> {
    let fields = Fields::parse(body).map_err(told)?;
    let mut refused = Vec::new();
    for value in fields.0.into_values() {
        // Which fields are asked for is ours to say.
        let (name, fields) = ("field", Fields([("field".to_owned(), value)].into_iter().collect()));
        refused.extend(fields.required(name).err());
        refused.extend(fields.flag(name).err());
        refused.extend(fields.number(name).err());
        refused.extend(fields.objects(name).err());
        refused.extend(fields.name::<AppName>(name).err());
        refused.extend(fields.name::<BranchName>(name).err());
        refused.extend(fields.name::<Hostname>(name).err());
        refused.extend(fields.name::<ProcessType>(name).err());
    }
    Ok(refused.into_iter().map(told).collect())
}

/// Changes config vars as a body says.
///
/// # Errors
/// What a client is told.
pub fn config_vars(present: &ConfigVars, body: &[u8]) -> Read<ConfigVars> {
    let fields = Fields::parse(body).map_err(told)?;
    let wishes: Result<Vec<_>, _> =
        fields.0.iter().map(|(name, value)| config_vars::wish(name, value)).collect();
    present.changed(wishes.map_err(told)?).map_err(|error| error.to_string())
}

/// Returns config vars as they are answered.
pub fn answered(vars: &ConfigVars) -> Value {
    config_vars::shown(vars)
}

/// Changes settings as a body says.
///
/// # Errors
/// What a client is told.
pub fn settings(present: &AppSettings, body: &[u8]) -> Read<AppSettings> {
    let fields = Fields::parse(body).map_err(told)?;
    settings::patched(present, &fields.0).map_err(told)
}

/// Reads what is to be scaled, and returns how many process types that are.
///
/// # Errors
/// What a client is told.
pub fn scale(body: &[u8]) -> Read<usize> {
    let updates = Fields::parse(body).and_then(|fields| formation::updates(&fields)).map_err(told)?;
    Ok(updates.len())
}

/// Returns a piece of a list, and the headers that say what it is and where it goes on.
pub fn piece(range: &HeaderValue, items: Vec<Value>) -> (Vec<Value>, Option<String>, Option<String>) {
    let headers = HeaderMap::from_iter([(header::RANGE, range.clone())]);
    let range = Range::of(&headers);
    let piece = range.cut(items, &["version", "id"]);
    (piece.items, piece.content_range, piece.next_range)
}
