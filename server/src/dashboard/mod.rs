//! The dashboard: pages rendered by the server. What a page shows and what a form changes goes through the routes of
//! the API, in this process and in the name of who is signed in: the dashboard can do nothing that the API refuses, and
//! every change has its audit row. Only signing in, and lists over all apps, are its own.

mod account;
mod activity;
mod app;
mod apps;
mod assets;
mod backups;
mod chart;
mod client;
mod cookies;
mod front;
mod glance;
mod installation;
mod live;
mod page;
mod passwords;
mod sign_in;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::platform::Platform;
use passwords::Passwords;

/// What the pages share.
pub(crate) struct Dashboard {
    platform: Arc<Platform>,
    /// The API, called in this process.
    api: Router,
    passwords: Passwords,
}

/// Returns the pages as a service.
pub(crate) fn router(platform: Arc<Platform>, api: Router) -> Router {
    let dashboard = Arc::new(Dashboard { platform, api, passwords: Passwords::default() });
    let pages = Router::new()
        .route("/", get(apps::list))
        .route("/apps", post(apps::create))
        .merge(app::routes())
        .merge(activity::routes())
        .merge(installation::routes())
        .route("/account", get(account::show))
        .route("/account/password", post(account::set_password))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/tokens", post(account::create_token))
        .route("/account/tokens/revoke", post(account::revoke_token))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/set-up", get(sign_in::show_set_up).post(sign_in::set_up))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/live", get(live::changes))
        .fallback(page::not_found)
        .method_not_allowed_fallback(page::not_found);
    front::router(pages.with_state(dashboard))
}
