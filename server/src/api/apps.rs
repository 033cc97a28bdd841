//! Apps: what they are called, who owns them, where they answer.

use fail_point::Step;
use model::access::Scope;
use model::name::AppName;
use model::stack::BuildStack;
use serde_json::{Value, json};
use store::{App, Release, Transaction};

use super::account;
use super::answer::{Answer, time, time_or_null};
use super::call::{Call, commit};
use super::domains::is_the_platforms;
use super::error::ApiError;
use super::reference::{name_of, region_ref, stack_of, stack_ref};
use crate::deploy;

/// Names that are tried before a generated one is given up.
const TRIES: u32 = 20;

/// Labels of the domain that are the platform's own.
const RESERVED: [&str; 8] = ["api", "www", "git", "dashboard", "admin", "streams", "agent", "health"];

pub(super) async fn list(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let apps = if call.session().role == Scope::Admin {
        store::list_apps(&mut db).await?
    } else {
        store::list_apps_of(&mut db, call.actor().user).await?
    };
    let mut shown = Vec::with_capacity(apps.len());
    for app in &apps {
        shown.push(app_json(&call, &mut db, app).await?);
    }
    Ok(Answer::list(shown, &["name", "id"]))
}

pub(super) async fn create(call: Call) -> Result<Answer, ApiError> {
    let wanted: Option<AppName> = call.fields.name("name")?;
    let mut tx = call.write().await?;
    let app = match wanted {
        Some(name) => {
            check_free(&call, &name)?;
            match store::create_app(&mut tx, &name, call.actor().user).await {
                Err(error @ store::Error::Taken { .. }) => {
                    drop(tx);
                    return Err(ApiError::from(error).hint(hint_of_taken(&call, &name).await?));
                }
                made => made?,
            }
        }
        None => create_with_some_name(&call, &mut tx).await?,
    };
    let shown = app_json(&call, &mut tx, &app).await?;
    commit(tx).await?;
    fail_point::reach(Step::AppMade);
    // Events are written only to streams that are there, so that a destroyed app's does not come back.
    call.platform.logs.open(app.id).map_err(anyhow::Error::from)?;
    call.platform.logs.event(app.id, "api", None, format!("Created by {}", call.actor().email));
    call.platform.changed();
    Ok(Answer::created(shown).about(&app))
}

pub(super) async fn show(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    Ok(Answer::ok(app_json(&call, &mut db, call.app()).await?))
}

pub(super) async fn update(call: Call) -> Result<Answer, ApiError> {
    let id = call.app().id;
    let name: Option<AppName> = call.fields.name("name")?;
    let maintenance = call.fields.flag("maintenance")?;
    let stack = call.fields.text("build_stack")?.map(|name| stack_of(&call.platform, &name)).transpose()?;
    check_can_build(&call, stack)?;
    let mut tx = call.write().await?;
    let current = store::find_app_by_id(&mut tx, id).await?.ok_or_else(|| ApiError::not_found("app"))?;
    if let Some(name) = name.as_ref().filter(|name| **name != current.name) {
        check_free(&call, name)?;
        store::rename_app(&mut tx, id, name).await.map_err(|error| match error {
            store::Error::Taken { .. } => ApiError::from(error).hint("choose another name"),
            error => error.into(),
        })?;
    }
    if let Some(maintenance) = maintenance {
        let mut settings = current.settings.clone();
        settings.maintenance = maintenance;
        store::set_settings(&mut tx, id, &settings).await?;
    }
    if let Some(stack) = stack.filter(|stack| *stack != current.stack) {
        store::set_stack(&mut tx, id, stack).await?;
    }
    let app = store::find_app_by_id(&mut tx, id).await?.unwrap_or(current);
    let shown = app_json(&call, &mut tx, &app).await?;
    commit(tx).await?;
    // The router knows apps by name and shows the maintenance page.
    call.platform.wished();
    let mut answer = Answer::ok(shown);
    if let Some(name) = name {
        answer = answer.noting("name", name.as_str());
    }
    if let Some(stack) = stack {
        answer = answer.noting("build_stack", name_of(&call.platform, stack));
    }
    Ok(match maintenance {
        Some(on) => answer.noting("maintenance", on),
        None => answer,
    })
}

pub(super) async fn destroy(call: Call) -> Result<Answer, ApiError> {
    let mut db = call.read().await?;
    let shown = app_json(&call, &mut db, call.app()).await?;
    drop(db);
    deploy::destroy_app(&call.platform, call.actor(), call.app()).await?;
    Ok(Answer::ok(shown))
}

/// Refuses a stack that nothing here builds.
fn check_can_build(call: &Call, stack: Option<BuildStack>) -> Result<(), ApiError> {
    if stack == Some(BuildStack::Container) && !call.platform.builder.builds_images() {
        return Err(ApiError::invalid(
            "container images are built and run by the Docker engine, and this server has another",
        )
        .hint("its operator can change that: `paasd stack build`, then `paasd serve --engine docker`"));
    }
    Ok(())
}

fn check_free(call: &Call, name: &AppName) -> Result<(), ApiError> {
    let options = &call.platform.options;
    let is_own = is_the_platforms(options, &format!("{name}.{}", options.domain));
    if is_own || RESERVED.contains(&name.as_str()) {
        return Err(ApiError::invalid(format!(
            "an app cannot be called `{name}`: the platform keeps that name"
        )));
    }
    Ok(())
}

/// Tells who may see the app how to work with it, and everybody else no more than that the name is taken.
async fn hint_of_taken(call: &Call, name: &AppName) -> Result<String, ApiError> {
    let mut db = call.read().await?;
    let theirs = match store::find_app(&mut db, name.as_str()).await? {
        Some(app) => call.session().access(&mut db, &app).await?.is_some(),
        None => false,
    };
    Ok(if theirs {
        format!(
            "you have it: `paasctl git:remote -a {name}` connects this repository to it; otherwise choose another name"
        )
    } else {
        "choose another name; without one the platform makes one up".to_owned()
    })
}

async fn create_with_some_name(call: &Call, tx: &mut Transaction) -> Result<App, ApiError> {
    for _ in 0..TRIES {
        let name = some_name()?;
        if store::find_app(tx, name.as_str()).await?.is_none() {
            return Ok(store::create_app(tx, &name, call.actor().user).await?);
        }
    }
    Err(ApiError::conflict("no free name was found").hint("give one: `paasctl apps:create NAME`"))
}

/// Returns a name such as `quiet-harbor-4711`.
fn some_name() -> Result<AppName, ApiError> {
    const FIRST: [&str; 16] = [
        "amber", "brisk", "calm", "clear", "early", "gentle", "green", "keen", "light", "lucky", "quiet",
        "rapid", "silver", "still", "warm", "wild",
    ];
    const SECOND: [&str; 16] = [
        "brook", "cliff", "cloud", "dune", "field", "forest", "harbor", "hill", "island", "lake", "meadow",
        "moon", "river", "shore", "stone", "valley",
    ];
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let (first, second) = (FIRST[usize::from(random[0]) % 16], SECOND[usize::from(random[1]) % 16]);
    let number = u16::from_be_bytes([random[2], random[3]]) % 9000 + 1000;
    Ok(format!("{first}-{second}-{number}").parse()?)
}

async fn app_json(call: &Call, db: &mut store::Db, app: &App) -> Result<Value, ApiError> {
    let release = current_release(db, app).await?;
    let slug = release.and_then(|release| release.slug);
    let manifest = match &slug {
        Some(slug) => store::find_slug(db, slug.id).await?.map(|slug| slug.manifest),
        None => None,
    };
    let build_stack = name_of(&call.platform, app.stack);
    let stack = manifest.as_ref().map_or(build_stack, |manifest| manifest.stack.as_str());
    let name = app.name.as_str();
    Ok(json!({
        "id": app.id,
        "name": name,
        "acm": false,
        "archived_at": null,
        "buildpack_provided_description": null,
        "build_stack": stack_ref(build_stack),
        "stack": stack_ref(stack),
        "generation": { "id": "00000000-0000-4000-8000-000000000003", "name": "cedar" },
        "git_url": format!("{}/{name}.git", call.base()),
        "web_url": format!("{}/", call.platform.web_url(app)),
        "internal_routing": null,
        "locked": false,
        "maintenance": app.settings.maintenance,
        "organization": null,
        "owner": account::user(app.owner_id, &app.owner_email),
        "region": region_ref(),
        "repo_size": null,
        "slug_size": slug.map(|slug| slug.bytes),
        "space": null,
        "team": null,
        "process_tier": "production",
        "released_at": time_or_null(app.released_at),
        "created_at": time(app.created_at),
        "updated_at": time(app.updated_at),
    }))
}

/// Returns the release that serves, or before the first deploy the newest one that counts.
pub(super) async fn current_release(db: &mut store::Db, app: &App) -> Result<Option<Release>, ApiError> {
    match app.serving {
        Some(serving) => Ok(store::find_release(db, app.id, serving.version).await?),
        None => Ok(store::newest_release_that_counts(db, app.id).await?),
    }
}

/// Returns an app as other objects name it.
pub(super) fn app_ref(app: &App) -> Value {
    json!({ "id": app.id, "name": app.name })
}
