//! `paasctl`, the companion command line: it asks the server's HTTP API and shows what it answers. It keeps no state
//! but the address and token of `login`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod address;
mod api;
mod arguments;
mod commands;
mod context;
mod credentials;
mod environment;
mod error;
mod git;
mod interrupt;
mod lines;
mod patience;
mod question;
mod remote;
mod rollout;
mod screen;
mod table;
mod usage;
mod wait;
mod when;

use std::process::ExitCode;

use context::Context;
use error::{Error, Kind};
use screen::{Screen, Tone};

fn main() -> ExitCode {
    let screen = Screen::of_this_process();
    let arguments = match usage::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(usage::Stop::Shown) => return ExitCode::SUCCESS,
        Err(usage::Stop::Wrong(error)) => return failed(&screen, &error),
    };
    let context = Context { screen, server: arguments.server };
    match arguments.command.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&context.screen, &context.explained(error)),
    }
}

fn failed(screen: &Screen, error: &Error) -> ExitCode {
    if error.kind != Kind::ClosedOutput {
        screen.say(&error.text(&screen.paint_status(Tone::Bad, "Error:")));
    }
    ExitCode::from(error.exit_status())
}
