//! Lets hosts in before anything is read of what they send: whoever reaches the port could have the server keep it.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::RequestExt as _;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use store::Host;
use tokio::time::timeout;

use super::admission::{Caller, admit, admit_late};
use super::refusal::Refusal;
use crate::platform::Platform;

/// The longest time that is spent on what is thrown away.
const THROWN: Duration = Duration::from_secs(20);

/// Lets a host in; what answers has it as `Extension<Arc<Host>>`.
pub(super) async fn let_in(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    pass(admit(&platform, &caller).await, &caller, request, next).await
}

/// Lets a host in, also when its certificate has expired.
pub(super) async fn let_in_late(
    State(platform): State<Arc<Platform>>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    pass(admit_late(&platform, &caller).await, &caller, request, next).await
}

async fn pass(
    admitted: Result<Arc<Host>, Refusal>,
    caller: &Caller,
    mut request: Request,
    next: Next,
) -> Response {
    match admitted {
        Ok(host) => {
            request.extensions_mut().insert(host);
            next.run(request).await
        }
        Err(refusal) => {
            // A host has to learn that it was removed: one that cannot finish sending does not read the answer.
            if caller.bearer.is_some() {
                throw_away(request).await;
            }
            refusal.into_response()
        }
    }
}

/// Takes the body off the wire, up to what it may have, for as long as its sender may wait for the answer.
async fn throw_away(request: Request) {
    let mut body = request.into_limited_body();
    let _ = timeout(THROWN, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}
