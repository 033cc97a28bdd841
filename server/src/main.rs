//! `paasd`: the server, and the small programs it starts itself.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use paasd::backup::{BackupArgs, RestoreArgs};
use paasd::gc::GcArgs;
use paasd::host_agent::AgentArgs;
use paasd::options::ServeArgs;
use paasd::stack::StackCommand;
use paasd::upkeep::UpkeepArgs;

/// A Heroku you run yourself: receives pushes, builds them, and runs what comes out
#[derive(Parser)]
#[command(name = "paasd", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the control plane, the router, and the agent of this machine
    Serve(Box<ServeArgs>),
    /// Stop the server of a data directory and everything it runs; the data stays
    Stop(Box<ServeArgs>),
    /// Write all that the platform is into one file, while the server runs
    Backup(Box<BackupArgs>),
    /// Make a data directory of such a file
    Restore(Box<RestoreArgs>),
    /// Make of this machine what its platform's bucket asks for: another paasd, or a backup in the place of its data
    Upkeep(Box<UpkeepArgs>),
    /// Show what nobody needs any more of a data directory
    Gc(Box<GcArgs>),
    /// Run replicas on this machine, as a host of a platform that is served elsewhere
    Agent(Box<AgentArgs>),
    /// Make or list the images that the Docker engine runs replicas and builds on
    #[command(subcommand)]
    Stack(StackCommand),
    /// Look after one replica; the agent runs this
    #[command(hide = true)]
    Supervise,
    /// Keep the listening sockets while no server runs; the server runs this
    #[command(hide = true)]
    KeepSockets,
}

fn main() -> ExitCode {
    // These are started often or stay, and must be small: no arguments to parse, no runtime.
    match std::env::args_os().nth(1).as_deref().and_then(|name| name.to_str()) {
        Some("supervise") => return agent::supervise_main(),
        Some("keep-sockets") => return keep_sockets(),
        _ => {}
    }
    match Arguments::parse().command {
        Command::Serve(args) => paasd::serve::main(*args),
        Command::Stop(args) => paasd::serve::stop(*args),
        Command::Backup(args) => paasd::backup::backup_main(*args),
        Command::Restore(args) => paasd::backup::restore_main(*args),
        Command::Upkeep(args) => paasd::upkeep::main(*args),
        Command::Gc(args) => paasd::gc::main(*args),
        Command::Agent(args) => paasd::host_agent::main(*args),
        Command::Stack(command) => paasd::stack::main(&command),
        Command::Supervise => agent::supervise_main(),
        Command::KeepSockets => keep_sockets(),
    }
}

fn keep_sockets() -> ExitCode {
    let run_dir = std::env::args_os().nth(2).unwrap_or_default();
    paasd::listeners::keep(std::path::Path::new(&run_dir))
}
