//! Reads the command line and writes its help. Wrong usage becomes an error like any other, with what was probably
//! meant.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser};
use model::wording;

use crate::commands::{Command, TOPICS};
use crate::context::ServerOptions;
use crate::error::Error;

/// Deploy and run apps on your own platform
#[derive(Debug, Parser)]
#[command(name = "paasctl", version, disable_help_subcommand = false, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Which server.
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Why no command is run.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Help or the version was asked for and shown.
    Shown,
    /// The command line is wrong.
    Wrong(Error),
}

/// Returns clap's description of the whole command line.
pub(crate) fn description() -> clap::Command {
    let command = Arguments::command();
    let overview = overview(&command);
    command.override_help(overview)
}

/// Reads the command line.
///
/// # Errors
/// It asks for help, or it is wrong.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Stop> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let mut description = description();
    if arguments.len() < 2 {
        let _ = description.print_help();
        return Err(Stop::Shown);
    }
    let mut named = arguments.iter().skip(1).filter_map(|argument| argument.to_str());
    let command = named.find(|name| description.find_subcommand(name).is_some());
    let command = command.map_or_else(|| "paasctl".to_owned(), |name| format!("paasctl {name}"));
    let matches = description.try_get_matches_from_mut(arguments);
    let matches = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    matches.map_err(|error| stop(&error, &command))
}

fn stop(error: &clap::Error, command: &str) -> Stop {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return Stop::Shown;
    }
    Stop::Wrong(wrong(error, command))
}

fn wrong(error: &clap::Error, command: &str) -> Error {
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) {
        return unknown_command(given);
    }
    let text = error.render().to_string();
    let paragraphs: Vec<_> = text.split("\n\n").map(str::trim).collect();
    let message = paragraphs.first().map(|first| first.trim_start_matches("error: ")).unwrap_or_default();
    let tip = paragraphs.iter().find_map(|paragraph| paragraph.strip_prefix("tip: "));
    let tip = tip.map(|tip| format!("{}. ", capitalised(tip))).unwrap_or_default();
    Error::usage(message).hint(format!("{tip}`{command} --help` shows an example."))
}

fn unknown_command(given: &str) -> Error {
    let description = Arguments::command();
    let commands = description.get_subcommands();
    let names: Vec<_> = commands.flat_map(|c| c.get_name_and_visible_aliases()).collect();
    let given = wording::plain(given, 60);
    let error = Error::usage(format!("there is no command `{given}`"));
    if given.starts_with("aws:") && cfg!(not(feature = "aws")) {
        return error.hint(WITHOUT_AWS);
    }
    match wording::did_you_mean(&given, names.iter().copied()) {
        Some(name) => error.hint(format!("Did you mean `{name}`? `paasctl --help` lists all commands.")),
        None => error.hint("`paasctl --help` lists all commands."),
    }
}

/// Returns a sentence with its first letter in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn overview(command: &clap::Command) -> String {
    let mut text =
        "Deploy and run apps on your own platform\n\nUsage: paasctl COMMAND [OPTIONS]\n".to_owned();
    let about = |name: &&str| {
        let found = command.find_subcommand(name);
        found.and_then(clap::Command::get_about).map(ToString::to_string).unwrap_or_default()
    };
    for (topic, names) in TOPICS.iter().filter(|(_, names)| !names.is_empty()) {
        let _ = writeln!(text, "\n{topic}:");
        for name in *names {
            let _ = writeln!(text, "  {name:<18}  {}", about(name));
        }
    }
    text + AFTER_COMMANDS
}

const WITHOUT_AWS: &str = "This paasctl was built without its part for AWS, which takes minutes to compile; \
    `cargo build --release -p paasctl --features aws` builds one with it.";

const AFTER_COMMANDS: &str = "
Options:
  -a, --app APP       the app; otherwise PAASCTL_APP, or the remote `paas`
      --json          print JSON and nothing else on stdout
      --url URL       the server's address; otherwise PAASCTL_URL, or `login`
      --token TOKEN   the token; otherwise PAASCTL_TOKEN, or `login`
  -h, --help          show help; `paasctl COMMAND --help` has an example
  -V, --version       show the version

Short forms: create, info, destroy, rename, scale, restart, stop, rollback.
Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130 left with Ctrl-C.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_consistent() {
        description().debug_assert();
    }

    #[test]
    fn every_command_has_a_sentence_and_an_example() {
        for command in description().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} says nothing");
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                after.contains("Example:\n  $ ") && after.contains(name),
                "{name} has no example: {after}"
            );
        }
    }

    #[test]
    fn every_command_that_has_an_answer_gives_it_as_json_too() {
        // The first has none; what the others print is for a shell and for git.
        let without = ["run", "completions", "git:credentials"];
        for command in description().get_subcommands() {
            let json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
            assert_eq!(json, !without.contains(&command.get_name()), "{}", command.get_name());
        }
    }

    #[test]
    fn the_overview_lists_commands_that_exist_and_fits_80_columns() {
        let description = description();
        let overview = overview(&description);
        let long: Vec<_> = overview.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:#?}");
        for name in TOPICS.iter().flat_map(|(_, names)| names.iter()) {
            assert!(description.find_subcommand(name).is_some(), "{name}");
        }
    }
}
