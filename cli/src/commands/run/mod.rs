//! One-off processes: which app they are of. What is written behind the command is the command's.

use model::name::AppName;

use crate::context::{AppOption, Context};
use crate::error::{Error, Result};

pub(crate) mod attached;
pub(crate) mod detached;

/// Returns the app that a command line is about; `name` is the one of the `paasctl` command.
fn app_of(context: &Context, option: &AppOption, name: &str, words: &[String]) -> Result<AppName> {
    context.app(option).map_err(|error| match misplaced(words) {
        Some((app, words)) => {
            let command = detached::command_line(&words).unwrap_or_else(|_| "COMMAND".to_owned());
            Error { hint: None, ..error }.hint(format!(
                "Options go before the command, what follows it is its own: `paasctl {name} -a {app} -- {command}`."
            ))
        }
        None => error,
    })
}

/// Returns the app that is named among the words of a command, and the words without it.
fn misplaced(words: &[String]) -> Option<(AppName, Vec<String>)> {
    let named = |(at, word): (usize, &String)| {
        if word == "-a" || word == "--app" {
            return Some((at, 2, words.get(at + 1)?.parse().ok()?));
        }
        Some((at, 1, word.strip_prefix("--app=")?.parse().ok()?))
    };
    let (at, length, app) = words.iter().enumerate().skip(1).find_map(named)?;
    let rest = [&words[..at], &words[at + length..]].concat();
    Some((app, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Option<(String, String)> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        misplaced(&words).map(|(app, words)| (app.to_string(), words.join(" ")))
    }

    #[test]
    fn an_app_that_is_named_behind_the_command_is_found() {
        let expected = Some(("shop".to_owned(), "python manage.py migrate".to_owned()));
        for line in ["python manage.py migrate -a shop", "python manage.py --app shop migrate"] {
            assert_eq!(found(line), expected, "{line}");
        }
        assert_eq!(found("python manage.py migrate --app=shop"), expected);
        for line in ["ls -a", "ls -a /tmp", "-a shop"] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
