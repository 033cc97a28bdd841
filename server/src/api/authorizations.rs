//! Tokens of the user who is signed in. A token never makes one that may do more than itself, or for longer.

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use serde_json::{Value, json};
use store::{NewToken, Token, User};

use super::account::{self, signed_in};
use super::answer::{Answer, time};
use super::call::{Call, commit};
use super::error::ApiError;
use super::users;

/// Longest name of a token, in characters.
const NAME_MAX: usize = 100;

/// Longest life of a token that ends, in seconds: ten years.
const LIFE_MAX: u64 = 10 * 365 * 86_400;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let user = signed_in(&call).await?;
    let tokens = store::list_tokens(&mut *call.read().await?, user.id).await?;
    Ok(Answer::list(tokens.iter().map(|token| shown(token, &user, None)).collect(), &["id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let user = signed_in(&call).await?;
    let tokens = store::list_tokens(&mut *call.read().await?, user.id).await?;
    let wanted = call.parameter("authorization");
    let token = tokens.iter().find(|token| token.id.to_string() == wanted);
    Ok(Answer::ok(shown(token.ok_or_else(missing)?, &user, None)))
}

pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let name = name(call.fields.text("description")?.unwrap_or_else(|| "token".to_owned()));
    let scope = wanted_scope(&call)?;
    let life = call.fields.number("expires_in")?.map(|seconds| seconds.min(LIFE_MAX));
    let life = life.map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
    let mut tx = call.write().await?;
    let user = match call.fields.text("user")? {
        Some(other) => another(&call, &mut tx, &other).await?,
        None => store::find_user(&mut tx, &call.actor().user.to_string())
            .await?
            .ok_or_else(|| ApiError::not_found("account"))?,
    };
    let scope = scope.min(user.scope);
    let expires_at = ends_at(&call, &user, life)?;
    let new = NewToken { user: user.id, name: &name, scope, expires_at };
    let (token, secret) = store::create_token(&mut tx, new).await?;
    commit(tx).await?;
    let noted = Answer::created(shown(&token, &user, Some(secret.reveal())));
    Ok(noted.noting("token", name).noting("scope", scope.as_str()).noting("user", user.email))
}

pub(super) async fn revoke(call: Call) -> Result<Answer, ApiError> {
    let id = call.parameter("authorization").parse().map_err(|_| missing())?;
    let user = signed_in(&call).await?;
    let mut tx = call.write().await?;
    let token = store::revoke_token(&mut tx, user.id, id).await?.ok_or_else(missing)?;
    let session = call.session();
    let is_itself = session.actor.token.as_ref().is_some_and(|(own, _)| *own == id);
    if !is_itself && !session.scope.allows(token.scope) {
        return Err(ApiError::forbidden(format!(
            "this token has the scope {} and cannot revoke one with the scope {}",
            session.scope.as_str(),
            token.scope.as_str()
        )));
    }
    commit(tx).await?;
    Ok(Answer::ok(shown(&token, &user, None)).noting("token", token.name))
}

/// Returns when a new token ends. One of somebody's own ends with what it is made with, if that ends.
fn ends_at(call: &Call, user: &User, life: Option<SignedDuration>) -> Result<Option<Timestamp>, ApiError> {
    let wanted = life.map(|life| Timestamp::now() + life);
    let Some(own) = call.session().ends_at.filter(|_| user.id == call.actor().user) else {
        return Ok(wanted);
    };
    match wanted {
        Some(wanted) if wanted > own => Err(ApiError::forbidden(format!(
            "this token ends at {own:.0} and cannot make one that ends later"
        ))),
        wanted => Ok(Some(wanted.unwrap_or(own))),
    }
}

fn missing() -> ApiError {
    ApiError::not_found("authorization")
}

/// Administrators make the first token of others.
async fn another(call: &Call, db: &mut store::Db, user: &str) -> Result<User, ApiError> {
    let found = store::find_user(db, user).await?;
    if !call.session().scope.allows(Scope::Admin) {
        return Err(ApiError::forbidden("only administrators make tokens for others"));
    }
    found.ok_or_else(|| ApiError::not_found("user"))
}

fn wanted_scope(call: &Call) -> Result<Scope, ApiError> {
    let own = call.session().scope;
    let words = match call.fields.get("scope") {
        None => return Ok(own),
        Some(Value::Array(words)) => words.first().and_then(Value::as_str).map(str::to_owned),
        Some(word) => {
            word.as_str().map(|words| words.split([' ', ',']).next().unwrap_or_default().to_owned())
        }
    };
    match users::scope(words)? {
        Some(wanted) if own.allows(wanted) => Ok(wanted),
        Some(wanted) => Err(ApiError::forbidden(format!(
            "this token has the scope {} and cannot make one with the scope {}",
            own.as_str(),
            wanted.as_str()
        ))),
        None => Ok(own),
    }
}

fn name(text: String) -> String {
    model::wording::plain(&text, NAME_MAX)
}

fn shown(token: &Token, user: &User, secret: Option<&str>) -> Value {
    let left = token.expires_at.map(|end| end.duration_since(Timestamp::now()).as_secs().max(0));
    json!({
        "id": token.id,
        "description": token.name,
        "scope": [token.scope],
        "access_token": { "id": token.id, "token": secret, "expires_in": left },
        "client": null,
        "grant": null,
        "refresh_token": null,
        "session": null,
        "user": account::user(user.id, &user.email),
        "expires_at": token.expires_at.map(time),
        "last_used_at": token.last_used_at.map(time),
        "created_at": time(token.created_at),
        "updated_at": time(token.last_used_at.unwrap_or(token.created_at)),
    })
}
