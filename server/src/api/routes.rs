//! The route table. Tests walk it: every route says who may use it, and every one that changes something says what the
//! audit trail calls that.

use super::route::Needs::{Account, Admin, Nobody, Own, Read, Write};
use super::route::{Route, ask, delete, get, patch, post, upload};
use super::{
    account, activity, apps, authorizations, builds, collaborators, collection, config_vars, cost, domains,
    dyno_commands, dynos, fleet, formation, host_commands, hosts, log_sessions, log_stream, metrics,
    operations, pins, platform, prometheus, reference, release_diff, releases, settings, slugs, sources,
    users,
};

/// Returns all routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        people(),
        reference_lists(),
        apps_and_config(),
        releases_and_builds(),
        processes(),
        machines(),
        fleet_and_cost(),
        the_rest(),
    ]
    .concat()
}

fn people() -> Vec<Route> {
    vec![
        get("/account", Account, account::show),
        get("/account/rate-limits", Account, account::rate_limits),
        get("/account/features", Account, reference::none),
        get("/account/keys", Account, reference::none),
        get("/users/~", Account, account::show),
        get("/users/~/apps", Account, apps::list),
        get("/users", Admin, users::list),
        post("/users", Admin, "user.create", users::create),
        delete("/users/{user}", Admin, "user.disable", users::disable),
        get("/oauth/authorizations", Account, authorizations::list),
        post("/oauth/authorizations", Account, "token.create", authorizations::create),
        get("/oauth/authorizations/{authorization}", Account, authorizations::show),
        delete("/oauth/authorizations/{authorization}", Account, "token.revoke", authorizations::revoke),
        delete("/oauth/sessions/{session}", Account, "session.delete", account::no_session),
        get("/activity", Admin, activity::list),
        get("/apps/{app}/activity", Read, activity::list),
    ]
}

fn reference_lists() -> Vec<Route> {
    vec![
        get("/health", Nobody, platform::health),
        get("/platform", Read, platform::show),
        get("/metrics", Admin, prometheus::show),
        get("/collection", Admin, collection::show),
        post("/collection", Admin, "garbage.collect", collection::run),
        get("/api/v4/current-status", Nobody, platform::status),
        get("/regions", Account, reference::regions),
        get("/regions/{region}", Account, reference::region),
        get("/stacks", Account, reference::stacks),
        get("/stacks/{stack}", Account, reference::stack),
        get("/dyno-sizes", Account, reference::sizes),
        get("/dyno-sizes/{size}", Account, reference::size),
        get("/spaces", Account, reference::none),
        get("/teams", Account, reference::none),
        get("/addons", Account, reference::none),
        get("/pipelines", Account, reference::none),
        get("/apps/{app}/available-stacks", Read, reference::stacks),
        get("/apps/{app}/sni-endpoints", Read, reference::none),
        get("/apps/{app}/addons", Read, reference::none),
        get("/apps/{app}/addon-attachments", Read, reference::none),
        get("/apps/{app}/features", Read, reference::none),
        get("/apps/{app}/log-drains", Read, reference::none),
        get("/apps/{app}/webhooks", Read, reference::none),
        get("/apps/{app}/pipeline-couplings", Read, reference::no_coupling),
    ]
}

fn apps_and_config() -> Vec<Route> {
    vec![
        get("/apps", Account, apps::list),
        post("/apps", Write, "app.create", apps::create),
        get("/apps/{app}", Read, apps::show),
        patch("/apps/{app}", Write, "app.update", apps::update),
        delete("/apps/{app}", Own, "app.destroy", apps::destroy),
        get("/apps/{app}/config-vars", Write, config_vars::show),
        get("/apps/{app}/config-vars/names", Read, config_vars::names),
        post("/apps/{app}/config-vars/actions/reveal", Write, "config.reveal", config_vars::reveal),
        patch("/apps/{app}/config-vars", Write, "config.change", config_vars::change)
            .with_bodies_of(config_vars::BODY_BYTES),
        get("/apps/{app}/settings", Read, settings::show),
        patch("/apps/{app}/settings", Write, "settings.change", settings::change),
        get("/apps/{app}/pins", Read, pins::show),
        post("/apps/{app}/pins/actions/upgrade", Write, "pins.upgrade", pins::upgrade),
        get("/apps/{app}/collaborators", Read, collaborators::list),
        post("/apps/{app}/collaborators", Own, "collaborator.add", collaborators::add),
        get("/apps/{app}/collaborators/{collaborator}", Read, collaborators::show),
        delete("/apps/{app}/collaborators/{collaborator}", Own, "collaborator.remove", collaborators::remove),
        get("/apps/{app}/domains", Read, domains::list),
        post("/apps/{app}/domains", Write, "domain.add", domains::add),
        get("/apps/{app}/domains/{domain}", Read, domains::show),
        patch("/apps/{app}/domains/{domain}", Write, "domain.update", domains::update),
        delete("/apps/{app}/domains/{domain}", Write, "domain.remove", domains::remove),
    ]
}

fn releases_and_builds() -> Vec<Route> {
    vec![
        get("/apps/{app}/releases", Read, releases::list),
        post("/apps/{app}/releases", Write, "release.rollback", releases::create),
        get("/apps/{app}/releases/{release}", Read, releases::show),
        get("/apps/{app}/releases/{release}/config-vars", Write, config_vars::of_release),
        get("/apps/{app}/releases/{release}/diff/{other}", Read, release_diff::show),
        get("/apps/{app}/releases/{release}/output", Read, releases::output),
        get("/apps/{app}/slugs/{slug}", Read, slugs::show),
        ask("/sources", Write, sources::create),
        ask("/apps/{app}/sources", Write, sources::create),
        get("/apps/{app}/builds", Read, builds::list),
        post("/apps/{app}/builds", Write, "build.create", builds::create),
        get("/apps/{app}/builds/{build}", Read, builds::show),
        get("/apps/{app}/builds/{build}/output", Read, builds::output),
        post("/apps/{app}/builds/{build}/actions/cancel", Write, "build.cancel", builds::cancel),
        get("/operations", Account, operations::list),
        get("/apps/{app}/operations", Read, operations::list),
        get("/apps/{app}/operations/{operation}", Read, operations::show),
        post(
            "/apps/{app}/operations/{operation}/actions/cancel",
            Write,
            "operation.cancel",
            operations::cancel,
        ),
    ]
}

fn processes() -> Vec<Route> {
    vec![
        get("/apps/{app}/formation", Read, formation::list),
        patch("/apps/{app}/formation", Write, "formation.scale", formation::scale),
        get("/apps/{app}/formation/{process}", Read, formation::show),
        patch("/apps/{app}/formation/{process}", Write, "formation.scale", formation::scale_one),
        get("/apps/{app}/metrics", Read, metrics::show),
        get("/apps/{app}/dynos", Read, dynos::list),
        post("/apps/{app}/dynos", Write, "dyno.run", dyno_commands::run),
        delete("/apps/{app}/dynos", Write, "dyno.restart", dyno_commands::restart_all),
        get("/apps/{app}/dynos/{dyno}", Read, dynos::show),
        delete("/apps/{app}/dynos/{dyno}", Write, "dyno.restart", dyno_commands::restart_one),
        post("/apps/{app}/dynos/{dyno}/actions/stop", Write, "dyno.stop", dyno_commands::stop_one),
        delete("/apps/{app}/formations/{process}", Write, "dyno.restart", dyno_commands::restart_type),
        post("/apps/{app}/formations/{process}/actions/stop", Write, "dyno.stop", dyno_commands::stop_type),
    ]
}

fn machines() -> Vec<Route> {
    vec![
        get("/hosts", Read, hosts::list),
        get("/hosts/{host}", Admin, hosts::show),
        get("/hosts/{host}/metrics", Admin, metrics::of_host),
        post("/hosts", Admin, "host.add", host_commands::add),
        delete("/hosts/{host}", Admin, "host.remove", host_commands::remove),
        post("/hosts/{host}/actions/drain", Admin, "host.drain", host_commands::drain),
        post("/hosts/{host}/actions/resume", Admin, "host.resume", host_commands::resume),
        post("/hosts/{host}/actions/drill", Admin, "host.drill", host_commands::drill),
    ]
}

fn fleet_and_cost() -> Vec<Route> {
    vec![
        get("/fleet", Admin, fleet::show),
        patch("/fleet", Admin, "fleet.change", fleet::change),
        ask("/fleet/quote", Admin, fleet::quote),
        get("/fleet/events", Admin, fleet::events),
        get("/cost", Admin, cost::show),
        patch("/cost", Admin, "cost.cap", cost::cap),
        get("/apps/{app}/cost", Read, cost::of_app),
        ask("/apps/{app}/cost/quote", Read, cost::quote),
    ]
}

fn the_rest() -> Vec<Route> {
    vec![
        ask("/apps/{app}/log-sessions", Read, log_sessions::create),
        get("/streams/logs/{capability}", Nobody, log_stream::show),
        get("/streams/build-output/{capability}", Nobody, builds::stream),
        get("/streams/release-output/{capability}", Nobody, releases::stream),
        get("/streams/source/{capability}", Nobody, sources::download),
        upload("/streams/source/{capability}", sources::receive),
    ]
}
