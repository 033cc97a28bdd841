//! The commands by topic: the one list that help, completions and dispatch are made from.

mod access;
mod activity;
mod apps;
#[cfg(feature = "aws")]
mod aws;
mod buildpacks;
mod builds;
mod completions;
mod config;
mod cost;
mod deploy;
mod detect;
mod doctor;
mod domains;
mod fleet;
mod gc;
mod git_credentials;
mod git_remote;
mod hosts;
mod log_line;
mod login;
mod logout;
mod logs;
mod maintenance;
mod metrics;
mod open;
mod operations;
mod pins;
mod ps;
mod releases;
mod run;
mod settings;
mod stack;
mod tokens;
mod trace;
mod users;
mod version;
mod whoami;

use crate::context::Context;
use crate::error::Result;

macro_rules! commands {
    ($($topic:literal { $($(#[$when:meta])? $name:literal $([$($alias:literal),+])? => $variant:ident($module:ty);)+ })+) => {
        /// What to do.
        #[derive(Debug, clap::Subcommand)]
        #[command(subcommand_value_name = "COMMAND")]
        pub(crate) enum Command {$($(
            $(#[$when])?
            #[command(name = $name $(, visible_aliases = [$($alias),+])?)]
            $variant($module),
        )+)+}

        impl Command {
            /// Does it.
            ///
            /// # Errors
            /// The command could not do its work.
            pub(crate) fn run(&self, context: &Context) -> Result<()> {
                match self {$($($(#[$when])? Self::$variant(command) => command.run(context),)+)+}
            }
        }

        /// The commands in the order of the help, under their topics.
        pub(crate) const TOPICS: &[(&str, &[&str])] = &[$(($topic, &[$($(#[$when])? $name),+])),+];
    };
}

commands! {
    "Apps" {
        "apps" => Apps(apps::list::List);
        "apps:create" ["create"] => AppsCreate(apps::create::Create);
        "apps:info" ["info"] => AppsInfo(apps::info::Info);
        "apps:rename" ["rename"] => AppsRename(apps::rename::Rename);
        "apps:destroy" ["destroy"] => AppsDestroy(apps::destroy::Destroy);
        "open" => Open(open::Open);
        "stack" => Stack(stack::show::Show);
        "stack:set" => StackSet(stack::set::Set);
        "settings" => Settings(settings::list::List);
        "settings:set" => SettingsSet(settings::set::Set);
        "domains" => Domains(domains::list::List);
        "domains:add" => DomainsAdd(domains::add::Add);
        "domains:remove" => DomainsRemove(domains::remove::Remove);
        "maintenance" => Maintenance(maintenance::show::Show);
        "maintenance:on" => MaintenanceOn(maintenance::on::On);
        "maintenance:off" => MaintenanceOff(maintenance::off::Off);
    }
    "Config vars" {
        "config" => Config(config::list::List);
        "config:get" => ConfigGet(config::get::Get);
        "config:set" => ConfigSet(config::set::Set);
        "config:edit" => ConfigEdit(config::edit::Edit);
        "config:unset" => ConfigUnset(config::unset::Unset);
    }
    "What runs" {
        "ps" ["ps:list"] => Ps(ps::list::List);
        "ps:scale" ["scale"] => PsScale(ps::scale::Scale);
        "ps:type" ["ps:resize"] => PsType(ps::resize::Resize);
        "ps:restart" ["restart"] => PsRestart(ps::restart::Restart);
        "ps:stop" ["stop"] => PsStop(ps::stop::Stop);
        "logs" => Logs(logs::Logs);
        "metrics" => Metrics(metrics::Metrics);
        "run" => Run(run::attached::Run);
        "run:detached" => RunDetached(run::detached::Detached);
    }
    "Builds and releases" {
        "deploy" => Deploy(deploy::Deploy);
        "releases" => Releases(releases::list::List);
        "releases:info" => ReleasesInfo(releases::info::Info);
        "releases:output" => ReleasesOutput(releases::output::Output);
        "releases:rollback" ["rollback"] => ReleasesRollback(releases::rollback::Rollback);
        "releases:cancel" => ReleasesCancel(releases::cancel::Cancel);
        "releases:diff" => ReleasesDiff(releases::diff::Diff);
        "operations" => Operations(operations::list::List);
        "operations:info" => OperationsInfo(operations::info::Info);
        "operations:cancel" => OperationsCancel(operations::cancel::Cancel);
        "builds" => Builds(builds::list::List);
        "builds:info" => BuildsInfo(builds::info::Info);
        "builds:output" => BuildsOutput(builds::output::Output);
        "builds:cancel" => BuildsCancel(builds::cancel::Cancel);
        "buildpacks" => Buildpacks(buildpacks::list::List);
        "buildpacks:set" => BuildpacksSet(buildpacks::set::Set);
        "buildpacks:clear" => BuildpacksClear(buildpacks::clear::Clear);
        "pins" => Pins(pins::list::List);
        "pins:upgrade" => PinsUpgrade(pins::upgrade::Upgrade);
    }
    "Hosts" {
        "hosts" => Hosts(hosts::list::List);
        "hosts:add" ["hosts:join-token"] => HostsAdd(hosts::add::Add);
        "hosts:info" => HostsInfo(hosts::info::Info);
        "hosts:drain" => HostsDrain(hosts::drain::Drain);
        "hosts:resume" => HostsResume(hosts::resume::Resume);
        "hosts:remove" => HostsRemove(hosts::remove::Remove);
        "hosts:drill" => HostsDrill(hosts::drill::Drill);
    }
    "A fleet and its cost" {
        "hosts:fleet" => HostsFleet(fleet::show::Show);
        "hosts:bounds" => HostsBounds(fleet::bounds::Bounds);
        "hosts:types" => HostsTypes(fleet::types::Types);
        "hosts:spot" => HostsSpot(fleet::spot::Spot);
        "hosts:headroom" => HostsHeadroom(fleet::headroom::Headroom);
        "hosts:patience" => HostsPatience(fleet::patience::Patience);
        "hosts:schedule" => HostsSchedule(fleet::schedule::Schedule);
        "hosts:unschedule" => HostsUnschedule(fleet::unschedule::Unschedule);
        "cost" => Cost(cost::show::Show);
        "cost:cap" => CostCap(cost::cap::Cap);
    }
    "AWS" {
        #[cfg(feature = "aws")] "aws:plan" => AwsPlan(aws::plan::Plan);
        #[cfg(feature = "aws")] "aws:up" => AwsUp(aws::up::Up);
        #[cfg(feature = "aws")] "aws:down" => AwsDown(aws::down::Down);
        #[cfg(feature = "aws")] "aws:bake" => AwsBake(aws::bake::Bake);
        #[cfg(feature = "aws")] "aws:server" => AwsServer(aws::server::Server);
        #[cfg(feature = "aws")] "aws:update" => AwsUpdate(aws::update::Update);
        #[cfg(feature = "aws")] "aws:backups" => AwsBackups(aws::backups::Backups);
        #[cfg(feature = "aws")] "aws:policy" => AwsPolicy(aws::policy::Policy);
        "aws:events" => AwsEvents(fleet::events::Events);
    }
    "People and tokens" {
        "login" => Login(login::Login);
        "logout" => Logout(logout::Logout);
        "whoami" ["auth"] => Whoami(whoami::Whoami);
        "access" => Access(access::list::List);
        "access:add" => AccessAdd(access::add::Add);
        "access:remove" => AccessRemove(access::remove::Remove);
        "tokens" ["authorizations"] => Tokens(tokens::list::List);
        "tokens:create" => TokensCreate(tokens::create::Create);
        "tokens:revoke" => TokensRevoke(tokens::revoke::Revoke);
        "users" => Users(users::list::List);
        "users:create" ["users:add"] => UsersCreate(users::create::Create);
        "users:disable" => UsersDisable(users::disable::Disable);
        "activity" => Activity(activity::Activity);
        "gc" => Gc(gc::Gc);
    }
    "This tool" {
        "detect" => Detect(detect::Detect);
        "doctor" => Doctor(doctor::Doctor);
        "git:remote" => GitRemote(git_remote::GitRemote);
        "git:credentials" => GitCredentials(git_credentials::GitCredentials);
        "completions" => Completions(completions::Completions);
        "version" => Version(version::Version);
    }
}
