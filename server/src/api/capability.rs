//! URLs that carry their own permission: sealed, bound to one purpose, with an end. Clients open them without a token,
//! and they end up in scripts; so each is good for one thing for a short time.

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::error::ApiError;

/// What a capability is for; one for another purpose does not open.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Logs,
    BuildOutput,
    ReleaseOutput,
    Source,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::BuildOutput => "build-output",
            Self::ReleaseOutput => "release-output",
            Self::Source => "source",
        }
    }

    /// How long it is good for. A log tail is opened again whenever its connection breaks.
    fn life(self) -> SignedDuration {
        match self {
            Self::Logs => SignedDuration::from_hours(6),
            Self::BuildOutput | Self::ReleaseOutput | Self::Source => SignedDuration::from_hours(1),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    until: i64,
    content: T,
}

/// Returns a URL that carries the content.
pub(super) fn url<T: Serialize>(call: &Call, purpose: Purpose, content: &T) -> Result<String, ApiError> {
    let until = (Timestamp::now() + purpose.life()).as_second();
    let plain = serde_json::to_vec(&Sealed { until, content }).map_err(anyhow::Error::from)?;
    let sealed = call.platform.vault.seal(purpose.name(), &plain)?;
    Ok(format!("{}/streams/{}/{sealed}", call.base(), purpose.name()))
}

/// Returns the content of the URL that was called.
pub(super) fn open<T: DeserializeOwned>(call: &Call, purpose: Purpose) -> Result<T, ApiError> {
    content(&call.platform.vault, purpose, call.parameter("capability"))
}

/// Returns the content of a URL that was handed out and came back in a body.
pub(super) fn reopen<T: DeserializeOwned>(call: &Call, purpose: Purpose, url: &str) -> Option<T> {
    let mark = format!("/streams/{}/", purpose.name());
    let (_, sealed) = url.split_once(&mark)?;
    content(&call.platform.vault, purpose, sealed).ok()
}

fn content<T: DeserializeOwned>(vault: &store::Vault, purpose: Purpose, sealed: &str) -> Result<T, ApiError> {
    let gone =
        || ApiError::not_found("stream").hint("such an address is good for a short time; ask for a new one");
    let plain = vault.open(purpose.name(), sealed).map_err(|_| gone())?;
    let sealed: Sealed<T> = serde_json::from_slice(&plain).map_err(|_| gone())?;
    if sealed.until < Timestamp::now().as_second() { Err(gone()) } else { Ok(sealed.content) }
}
