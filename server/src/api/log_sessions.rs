//! Asking for logs: the answer is an address that can be read without a token.

use jiff::Timestamp;
use logs::Source;
use model::id::{ActivityId, AppId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, time};
use super::call::Call;
use super::capability::{self, Purpose};
use super::error::ApiError;

/// Lines when nobody says how many, as Heroku does it.
const LINES: u64 = 100;

/// What the address stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LogSession {
    pub(super) app: AppId,
    pub(super) lines: usize,
    pub(super) tail: bool,
    pub(super) source: SourceFilter,
    pub(super) process: Option<String>,
    pub(super) since: Option<Timestamp>,
}

/// Which sources are wanted; `heroku` is what its tools call everything but the app itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum SourceFilter {
    All,
    Only(Source),
    NotApp,
}

pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let fields = &call.fields;
    let since = fields.text("since")?.map(|text| text.parse::<Timestamp>()).transpose();
    let process = match fields.text("dyno")? {
        Some(dyno) => Some(dyno),
        None => fields.text("dyno_name")?.or(fields.text("type")?),
    };
    let session = LogSession {
        app: call.app().id,
        lines: usize::try_from(fields.number("lines")?.unwrap_or(LINES)).unwrap_or(usize::MAX),
        tail: fields.flag("tail")?.unwrap_or(false),
        source: source(fields.text("source")?)?,
        process,
        since: since.map_err(|_| ApiError::invalid("`since` is a time such as 2026-01-02T03:04:05Z"))?,
    };
    let url = capability::url(&call, Purpose::Logs, &session)?;
    let now = time(Timestamp::now());
    Ok(Answer::created(json!({
        "id": ActivityId::new(),
        "logplex_url": url,
        "created_at": now,
        "updated_at": now,
    })))
}

fn source(text: Option<String>) -> Result<SourceFilter, ApiError> {
    match text.as_deref() {
        None | Some("") => Ok(SourceFilter::All),
        Some("heroku") => Ok(SourceFilter::NotApp),
        Some(word) => word
            .parse()
            .map(SourceFilter::Only)
            .map_err(|error: logs::UnknownSource| ApiError::invalid(error.to_string())),
    }
}
