//! Users, for administrators.

use model::access::Scope;
use serde_json::{Value, json};
use store::User;

use super::answer::{Answer, time};
use super::call::{Call, commit};
use super::error::ApiError;

/// Longest email address, from RFC 5321.
const EMAIL_MAX: usize = 254;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let users = store::list_users(&mut *call.read().await?).await?;
    Ok(Answer::list(users.iter().map(shown).collect(), &["email", "id"]))
}

pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let email = email(&call.fields.required("email")?)?;
    let scope = scope(call.fields.text("scope")?)?.unwrap_or(Scope::Write);
    let mut tx = call.write().await?;
    let user = store::create_user(&mut tx, &email, scope).await?;
    commit(tx).await?;
    Ok(Answer::created(shown(&user)).noting("user", email).noting("scope", scope.as_str()))
}

/// Takes away all that the user could do; what they did stays theirs.
pub(super) async fn disable(call: Call) -> Result<Answer, ApiError> {
    let mut tx = call.write().await?;
    let found = store::find_user(&mut tx, call.parameter("user")).await?;
    let mut user = found.ok_or_else(|| ApiError::not_found("user"))?;
    if user.id == call.actor().user {
        return Err(ApiError::invalid("you cannot disable yourself").hint("another administrator can"));
    }
    store::set_user_disabled(&mut tx, user.id, true).await?;
    commit(tx).await?;
    user.disabled = true;
    Ok(Answer::ok(shown(&user)).noting("user", user.email.clone()))
}

fn shown(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "scope": user.scope,
        "disabled": user.disabled,
        "created_at": time(user.created_at),
    })
}

fn email(text: &str) -> Result<String, ApiError> {
    let email = text.trim().to_ascii_lowercase();
    let plain = !email.chars().any(|c| c.is_control() || c.is_whitespace()) && email.len() <= EMAIL_MAX;
    let parts = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if plain && parts {
        Ok(email)
    } else {
        Err(ApiError::invalid("an email address looks like ann@example.org"))
    }
}

/// Reads a scope by its word.
pub(super) fn scope(text: Option<String>) -> Result<Option<Scope>, ApiError> {
    text.map(|text| text.parse().map_err(ApiError::invalid)).transpose()
}
