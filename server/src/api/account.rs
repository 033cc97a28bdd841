//! Who is signed in.

use model::id::UserId;
use serde_json::{Value, json};

use super::answer::{Answer, time};
use super::call::Call;
use super::error::ApiError;
use super::reply::RATE_LIMIT;

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let user = signed_in(&call).await?;
    let token = call.actor().token.as_ref();
    Ok(Answer::ok(json!({
        "id": user.id,
        "email": user.email,
        "name": user.email,
        // What this token may be used for; another one of the same user may do more.
        "scope": call.session().scope,
        "role": user.scope,
        "token": token.map(|(id, name)| json!({ "id": id, "name": name })),
        "allow_tracking": false,
        "beta": false,
        "federated": false,
        "verified": true,
        "two_factor_authentication": false,
        "default_organization": null,
        "default_team": null,
        "identity_provider": null,
        "suspended_at": null,
        "delinquent_at": null,
        "last_login": null,
        "created_at": time(user.created_at),
        "updated_at": time(user.created_at),
    })))
}

pub(super) async fn rate_limits(_: Call) -> Result<Answer, ApiError> {
    Ok(Answer::ok(json!({ "remaining": RATE_LIMIT })))
}

/// Tokens are the only sessions; signing out of one that is not there is what Heroku's CLI expects.
pub(super) async fn no_session(_: Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found("session"))
}

pub(super) async fn signed_in(call: &Call) -> Result<store::User, ApiError> {
    let mut db = call.read().await?;
    let id = call.actor().user.to_string();
    store::find_user(&mut db, &id).await?.ok_or_else(|| ApiError::not_found("account"))
}

/// Returns a user as other objects name them.
pub(super) fn user(id: UserId, email: &str) -> Value {
    json!({ "id": id, "email": email })
}
