//! Who may use an app: its owner, and those who were invited.

use model::access::Scope;
use model::id::UserId;
use serde_json::{Value, json};
use store::Collaborator;

use super::account;
use super::answer::{Answer, time};
use super::apps::app_ref;
use super::call::{Call, commit};
use super::error::ApiError;
use super::users::scope;

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let invited = store::list_collaborators(&mut *call.read().await?, call.app().id).await?;
    let shown = invited.iter().map(|collaborator| shown(&call, collaborator));
    Ok(Answer::list(std::iter::once(owner(&call)).chain(shown).collect(), &["email", "id"]))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let wanted = call.parameter("collaborator");
    let owner = owner(&call);
    if owner["user"]["email"] == wanted || owner["id"] == wanted {
        return Ok(Answer::ok(owner));
    }
    Ok(Answer::ok(shown(&call, &find(&call, wanted).await?)))
}

/// Invites a user by address or id, or changes how far they may go.
pub(super) async fn add(call: Call) -> Result<Answer, ApiError> {
    let wanted = call.fields.required("user")?;
    let scope = scope(call.fields.text("scope")?)?.unwrap_or(Scope::Write);
    let mut tx = call.write().await?;
    let user = store::find_user(&mut tx, &wanted.trim().to_ascii_lowercase()).await?;
    let user = user.ok_or_else(|| {
        ApiError::invalid("there is no user with that address")
            .hint("an administrator adds one: `paasctl users:create`")
    })?;
    if user.id == call.app().owner_id {
        return Err(ApiError::invalid(format!("{} owns the app already", user.email)));
    }
    store::set_collaborator(&mut tx, call.app().id, user.id, scope).await?;
    commit(tx).await?;
    let added = find(&call, &user.email).await?;
    Ok(Answer::created(shown(&call, &added)).noting("user", user.email).noting("scope", scope.as_str()))
}

pub(super) async fn remove(call: Call) -> Result<Answer, ApiError> {
    let found = find(&call, call.parameter("collaborator")).await?;
    let mut tx = call.write().await?;
    store::delete_collaborator(&mut tx, call.app().id, found.user_id).await?;
    commit(tx).await?;
    Ok(Answer::ok(shown(&call, &found)).noting("user", found.email))
}

async fn find(call: &Call, email_or_id: &str) -> Result<Collaborator, ApiError> {
    let all = store::list_collaborators(&mut *call.read().await?, call.app().id).await?;
    let is =
        |c: &Collaborator| c.email.eq_ignore_ascii_case(email_or_id) || c.user_id.to_string() == email_or_id;
    all.into_iter().find(is).ok_or_else(|| ApiError::not_found("collaborator"))
}

fn owner(call: &Call) -> Value {
    let app = call.app();
    row(call, (app.owner_id, &app.owner_email), ("owner", Scope::Admin), app.created_at)
}

fn shown(call: &Call, collaborator: &Collaborator) -> Value {
    let who = (collaborator.user_id, collaborator.email.as_str());
    row(call, who, ("collaborator", collaborator.scope), collaborator.created_at)
}

fn row(call: &Call, (id, email): (UserId, &str), (role, scope): (&str, Scope), at: jiff::Timestamp) -> Value {
    let words: &[&str] = match scope {
        Scope::Read => &["view"],
        Scope::Write => &["deploy", "operate", "view"],
        Scope::Admin => &["deploy", "manage", "operate", "view"],
    };
    let permissions: Vec<Value> =
        words.iter().map(|name| json!({ "name": name, "description": name })).collect();
    json!({
        "id": id,
        "email": email,
        "user": account::user(id, email),
        "role": role,
        "scope": scope,
        "permissions": permissions,
        "app": app_ref(call.app()),
        "created_at": time(at),
        "updated_at": time(at),
    })
}
