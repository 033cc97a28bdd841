//! Turns a refusal, or no answer at all, into an error with what helps.

use serde::Deserialize;

use crate::address::Address;
use crate::error::{Error, Kind};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    message: String,
    hint: Option<String>,
    resource: Option<String>,
}

/// Returns the error that an answer with this status and body to a request of this path means.
pub(super) fn of(status: u16, text: &str, path: &str) -> Error {
    let body: Body = serde_json::from_str(text).unwrap_or_default();
    let resource = body.resource.unwrap_or_default();
    let message = match body.message.as_str() {
        _ if resource == "app" => format!("no app `{}`", path.split('/').nth(2).unwrap_or_default()),
        "" => format!("the server answered with status {status}"),
        message => message.trim_end_matches('.').to_owned(),
    };
    let error = Error { kind: Kind::Refused { status, resource }, message, hint: body.hint };
    match status {
        401 => {
            error.hint("`paasctl login` stores another token; `paasctl doctor` shows which server is used.")
        }
        403 => error.hint("`paasctl whoami` shows who you are and what the token may do."),
        429 => error.hint("Wait a moment and try again."),
        502..=504 => {
            error.hint("Something in front of the platform answered; `paasctl doctor` checks the way.")
        }
        _ => error,
    }
}

/// Returns the error for a server that could not be asked; `method` is what was asked of it.
pub(super) fn unreachable(url: &Address, error: &ureq::Error, method: &str) -> Error {
    let why = match error {
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::ConnectionAborted
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof => {
                "it ended the connection without an answer, so it is down or restarting".to_owned()
            }
            _ => error.to_string(),
        },
        other => other.to_string(),
    };
    let message = format!("cannot reach {url}: {why}");
    let unknown = match (method, error) {
        ("GET", _) | (_, ureq::Error::HostNotFound) => "",
        (_, ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => "",
        _ => " Look whether the change was made before you ask for it again.",
    };
    let hint = format!("Is `paasd serve` running? `paasctl doctor` checks the way to it.{unknown}");
    Error { kind: Kind::Unreachable, ..Error::failed(message) }.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_hint_is_kept_and_a_bare_401_gets_one() {
        let told =
            of(422, r#"{"id":"invalid_params","message":"no slug.","hint":"Push first."}"#, "/apps/shop");
        assert_eq!((told.message.as_str(), told.hint.as_deref()), ("no slug", Some("Push first.")));
        assert!(of(401, "<html>", "/account").hint.unwrap().contains("paasctl login"));
        let unknown = of(
            404,
            r#"{"id":"not_found","message":"Couldn't find that app.","resource":"app"}"#,
            "/apps/shpo/dynos",
        );
        assert_eq!(unknown.message, "no app `shpo`");
        assert_eq!(of(500, "", "/apps").message, "the server answered with status 500");
    }
}
