//! One route: where it is, who may use it, what the audit trail calls it, and what answers. A route that changes
//! something cannot be written down without the latter two.

use std::future::Future;
use std::sync::Arc;

use axum::http::Method;
use futures::future::BoxFuture;

use super::answer::Answer;
use super::call::Call;
use super::error::ApiError;

/// Who may use a route. Where its path names an app, it is about that app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nobody needs to be signed in; a capability in the URL may say more.
    Nobody,
    /// Anybody who is signed in, about themselves.
    Account,
    /// Who may look.
    Read,
    /// Who may change.
    Write,
    /// Who owns the app.
    Own,
    /// Administrators.
    Admin,
}

pub(super) type Handler =
    Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Answer, ApiError>> + Send + Sync + 'static>;

/// Most bytes of a body, unless the route says otherwise.
const BODY_BYTES: usize = 256 * 1024;

/// One route of the API.
#[derive(Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path with `{names}` for its variable parts.
    pub path: &'static str,
    /// Who may use it.
    pub needs: Needs,
    /// What the audit trail calls the change, unless it changes nothing.
    pub action: Option<&'static str>,
    /// Most bytes of the body; none of it is read beforehand where there is no limit, because it may be large.
    pub(super) body_bytes: Option<usize>,
    pub(super) handler: Handler,
}

fn route<H, F>(method: Method, path: &'static str, needs: Needs, handler: H) -> Route
where
    H: Fn(Call) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Answer, ApiError>> + Send + 'static,
{
    let handler: Handler = Arc::new(move |call| Box::pin(handler(call)));
    Route { method, path, needs, action: None, body_bytes: Some(BODY_BYTES), handler }
}

macro_rules! reading {
    ($($(#[$doc:meta])* $name:ident: $method:ident),+) => {$(
        $(#[$doc])*
        pub(super) fn $name<H, F>(path: &'static str, needs: Needs, handler: H) -> Route
        where
            H: Fn(Call) -> F + Send + Sync + 'static,
            F: Future<Output = Result<Answer, ApiError>> + Send + 'static,
        {
            route(Method::$method, path, needs, handler)
        }
    )+};
}

macro_rules! changing {
    ($($name:ident: $method:ident),+) => {$(
        pub(super) fn $name<H, F>(path: &'static str, needs: Needs, action: &'static str, handler: H) -> Route
        where
            H: Fn(Call) -> F + Send + Sync + 'static,
            F: Future<Output = Result<Answer, ApiError>> + Send + 'static,
        {
            Route { action: Some(action), ..route(Method::$method, path, needs, handler) }
        }
    )+};
}

impl Route {
    /// Takes bodies of up to so many bytes.
    pub(super) fn with_bodies_of(self, bytes: usize) -> Self {
        Self { body_bytes: Some(bytes), ..self }
    }
}

reading! {
    get: GET,
    /// A POST that changes nothing: its body is a question.
    ask: POST
}
changing! { post: POST, patch: PATCH, delete: DELETE }

/// A PUT whose body is taken as it comes, under a capability.
pub(super) fn upload<H, F>(path: &'static str, handler: H) -> Route
where
    H: Fn(Call) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Answer, ApiError>> + Send + 'static,
{
    Route { body_bytes: None, ..route(Method::PUT, path, Needs::Nobody, handler) }
}
