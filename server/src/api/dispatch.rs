//! What happens to every request, whatever its route: who sends it, may they, is it noted, what goes out. Nothing is
//! answered that the route table does not allow.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use model::access::Scope;
use store::App;

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;
use super::fields::Fields;
use super::route::{Needs, Route};
use super::{intake, reply};
use crate::audit;
use crate::auth::{Access, Session, SignInError, sign_in};
use crate::platform::Platform;

/// How long the head of an answer may take; what was begun goes on.
const ANSWER: Duration = Duration::from_secs(90);

/// Returns the routes as a service.
pub(super) fn router(platform: Arc<Platform>, routes: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in routes {
        let platform = platform.clone();
        let filter = MethodFilter::try_from(route.method.clone()).expect("the table has ordinary methods");
        let path = route.path;
        let route = Arc::new(route);
        let handler = move |parameters: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
            let (platform, route) = (platform.clone(), route.clone());
            async move {
                let Ok(parameters) = parameters else {
                    let error = ApiError::bad_request("the address is not UTF-8");
                    return reply::error(&error, request.headers());
                };
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                serve(platform, route, parameters.iter().map(owned).collect(), request).await
            }
        };
        router = router.route(path, on(filter, handler));
    }
    router
        .fallback(async |headers: HeaderMap| reply::error(&ApiError::not_found("route"), &headers))
        .method_not_allowed_fallback(async |headers: HeaderMap| {
            let error = ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not take that method",
            );
            reply::error(&error, &headers)
        })
}

async fn serve(
    platform: Arc<Platform>,
    route: Arc<Route>,
    parameters: BTreeMap<String, String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.clone();
    // An upload takes as long as it keeps coming.
    let answer = if route.body_bytes.is_none() { Duration::MAX } else { ANSWER };
    // A client that hangs up must not stop a change halfway between the store and the audit trail.
    let work = tokio::spawn(async move {
        let call = prepare(platform, &route, parameters, parts, body).await?;
        perform(&route, call).await
    });
    match tokio::time::timeout(answer, work).await {
        Ok(Ok(Ok(answer))) => reply::answer(answer, &headers),
        Ok(Ok(Err(error))) => reply::error(&error, &headers),
        Ok(Err(error)) => reply::error(&anyhow::Error::from(error).into(), &headers),
        Err(_) => {
            let message =
                format!("there was no answer within {} s; what was begun goes on", ANSWER.as_secs());
            let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message);
            reply::error(&error.hint("look at what is there before you try again"), &headers)
        }
    }
}

async fn prepare(
    platform: Arc<Platform>,
    route: &Route,
    parameters: BTreeMap<String, String>,
    parts: Parts,
    body: Body,
) -> Result<Call, ApiError> {
    let session = match route.needs {
        Needs::Nobody => None,
        _ => Some(session(&platform, &parts).await?),
    };
    let app = match (&session, parameters.get("app")) {
        (Some(session), Some(name)) => Some(app(&platform, session, name, route.needs).await?),
        _ => None,
    };
    if let (Some(session), None) = (&session, &app) {
        check_scope(session, route.needs)?;
    }
    let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri)
        .map_err(|_| ApiError::bad_request("the query of the address cannot be read"))?;
    let (fields, body) = match route.body_bytes {
        None => (Fields::default(), body),
        Some(limit) => (Fields::parse(&intake::read(body, limit).await?)?, Body::empty()),
    };
    Ok(Call {
        platform,
        session,
        app,
        parameters,
        query: query.0,
        headers: parts.headers,
        fields,
        body: Mutex::new(body),
    })
}

/// A page of the dashboard has signed its visitor in already; what comes over a connection carries no such thing.
async fn session(platform: &Platform, parts: &Parts) -> Result<Session, ApiError> {
    if let Some(session) = parts.extensions.get::<Session>() {
        return Ok(session.clone());
    }
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    sign_in(platform, &parts.headers, remote).await.map_err(|error| match error {
        SignInError::Missing | SignInError::Wrong => ApiError::unauthorized(error.to_string()),
        SignInError::TooOften(wait) => ApiError::too_often(error.to_string(), wait),
        SignInError::Store(error) => error.into(),
    })
}

/// Finds the app, and tells who may not see it the same as who names one that is not there.
async fn app(platform: &Platform, session: &Session, name: &str, needs: Needs) -> Result<App, ApiError> {
    let mut db = platform.store.read().await?;
    let Some(app) = store::find_app(&mut db, name).await? else { return Err(ApiError::not_found("app")) };
    let access = session.access(&mut db, &app).await?.ok_or_else(|| ApiError::not_found("app"))?;
    let enough = match needs {
        Needs::Nobody | Needs::Account | Needs::Read => Access::Read,
        Needs::Write => Access::Write,
        Needs::Own | Needs::Admin => Access::Own,
    };
    if access >= enough { Ok(app) } else { Err(too_little(session, needs)) }
}

fn check_scope(session: &Session, needs: Needs) -> Result<(), ApiError> {
    let needed = match needs {
        Needs::Nobody | Needs::Account | Needs::Read => Scope::Read,
        Needs::Write | Needs::Own => Scope::Write,
        Needs::Admin => Scope::Admin,
    };
    if session.scope.allows(needed) { Ok(()) } else { Err(too_little(session, needs)) }
}

fn too_little(session: &Session, needs: Needs) -> ApiError {
    if needs != Needs::Admin && !session.scope.allows(Scope::Write) {
        let message =
            "this token has the scope read: it may look at everything but config values, and change nothing";
        return ApiError::forbidden(message).hint("use a token with the scope write");
    }
    match needs {
        Needs::Admin => ApiError::forbidden("only administrators may do this"),
        Needs::Own => ApiError::forbidden("only the app's owner and administrators may do this"),
        _ => ApiError::forbidden("you were invited to look at this app, not to change it"),
    }
}

/// Calls the handler, between the two halves of the audit row if it changes something.
async fn perform(route: &Route, call: Call) -> Result<Answer, ApiError> {
    let Some(action) = route.action else { return (route.handler)(call).await };
    let platform = call.platform.clone();
    let subject = call.app.as_ref().map(|app| (app.id, app.name.to_string()));
    let row = audit::begin(&platform.store, call.actor(), action, subject).await?;
    match (route.handler)(call).await {
        Ok(answer) => {
            audit::complete(&platform.store, row, answer.subject.clone(), &answer.detail).await?;
            Ok(answer)
        }
        // After a failure of ours nobody knows what was changed: the row stays and says so.
        Err(error) if error.status.is_server_error() => Err(error),
        Err(error) => {
            audit::withdraw(&platform.store, row).await?;
            Err(error)
        }
    }
}
