//! Config vars: names for all who may look, values for who may change them and asks, each time noted. A change makes a
//! release.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use model::config::ConfigValue;
use model::shell_words;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::AppHead;
use crate::dashboard::Dashboard;
use crate::dashboard::client::Refusal;
use crate::dashboard::page::{Frame, Submitted, Visitor};

#[derive(Template)]
#[template(path = "app/config.html")]
struct ConfigPage {
    frame: Frame,
    head: AppHead,
    vars: Vec<Var>,
    /// What was pasted and could not be read.
    pasted: String,
    problem: Option<String>,
}

struct Var {
    name: String,
    /// The value, if it was asked for.
    shown: Option<String>,
    /// A value that is no text can be shown and not edited here.
    is_text: bool,
}

#[derive(Deserialize)]
struct Reveal {
    /// Nothing asks for all.
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Paste {
    text: String,
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .route("/apps/{app}/config", get(show))
        .route("/apps/{app}/config/reveal", post(reveal))
        .route("/apps/{app}/config/set", post(set))
        .route("/apps/{app}/config/unset", post(unset))
        .route("/apps/{app}/config/paste", post(paste))
}

async fn show(visitor: Visitor, Path(app): Path<String>) -> Response {
    visitor.page(view(&visitor, &app, BTreeMap::new()).await)
}

async fn view(
    visitor: &Visitor,
    app: &str,
    mut revealed: BTreeMap<String, ConfigValue>,
) -> Result<ConfigPage, Refusal> {
    let head = AppHead::of(visitor, app, "config").await?;
    let names: Vec<String> = visitor.get(&["apps", app, "config-vars", "names"]).await?;
    let var = |name: String| {
        let value = revealed.remove(&name);
        let is_text = value.as_ref().is_none_or(|value| std::str::from_utf8(value.reveal()).is_ok());
        let shown = value.map(|value| value.reveal().utf8_chunks().map(readable).collect());
        Var { name, shown, is_text }
    };
    Ok(ConfigPage {
        frame: visitor.frame(format!("Config of {app}"), "apps"),
        vars: names.into_iter().map(var).collect(),
        head,
        pasted: String::new(),
        problem: None,
    })
}

/// Writes bytes that are no text as a shell's `$'…'` does.
fn readable(chunk: std::str::Utf8Chunk<'_>) -> String {
    let odd: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
    chunk.valid().to_owned() + &odd
}

/// Answers with the page itself: what is shown is in no address and no cookie.
async fn reveal(Path(app): Path<String>, Submitted(visitor, Reveal { name }): Submitted<Reveal>) -> Response {
    let page = async {
        let names: Vec<String> = match name.is_empty() {
            true => visitor.get(&["apps", &app, "config-vars", "names"]).await?,
            false => vec![name],
        };
        let path = ["apps", &app, "config-vars", "actions", "reveal"];
        let values = visitor.send(Method::POST, &path, &json!({ "names": names })).await?;
        let values = serde_json::from_value(values).map_err(Refusal::internal)?;
        view(&visitor, &app, values).await
    };
    visitor.page(page.await)
}

async fn set(Path(app): Path<String>, Submitted(visitor, Set { name, value }): Submitted<Set>) -> Response {
    // A form sends line ends as the network does.
    let changes = Map::from_iter([(name.trim().to_owned(), Value::from(value.replace("\r\n", "\n")))]);
    let outcome = change(&visitor, &app, changes).await;
    visitor.done(&format!("/apps/{app}/config"), outcome)
}

async fn unset(Path(app): Path<String>, Submitted(visitor, Reveal { name }): Submitted<Reveal>) -> Response {
    let outcome = change(&visitor, &app, Map::from_iter([(name, Value::Null)])).await;
    visitor.done(&format!("/apps/{app}/config"), outcome)
}

async fn paste(Path(app): Path<String>, Submitted(visitor, Paste { text }): Submitted<Paste>) -> Response {
    let text = text.replace("\r\n", "\n");
    let outcome = match assignments(&text) {
        Ok(changes) => change(&visitor, &app, changes).await,
        Err(problem) => Err(Refusal::invalid(problem)),
    };
    match outcome {
        // What was typed is not lost, where there is a form for it.
        Err(refusal) if refusal.status != StatusCode::FORBIDDEN => {
            let page = view(&visitor, &app, BTreeMap::new()).await;
            let problem =
                refusal.hint.map_or(refusal.message.clone(), |hint| format!("{}; {hint}", refusal.message));
            visitor.page(page.map(|page| ConfigPage { pasted: text, problem: Some(problem), ..page }))
        }
        done => visitor.done(&format!("/apps/{app}/config"), done),
    }
}

async fn change(visitor: &Visitor, app: &str, changes: Map<String, Value>) -> Result<String, Refusal> {
    if changes.is_empty() {
        return Err(Refusal::invalid("there is nothing to set"));
    }
    let names: Vec<_> = changes.keys().cloned().collect();
    let (set, removed) = changes.values().partition::<Vec<_>, _>(|value| !value.is_null());
    visitor.send(Method::PATCH, &["apps", app, "config-vars"], &Value::Object(changes.clone())).await?;
    let what = match (set.len(), removed.len()) {
        (_, 0) => "is set",
        _ => "is removed",
    };
    let (what, names) = if names.len() == 1 { (what, names.join("")) } else { ("are set", names.join(", ")) };
    Ok(format!("{names} {what}. A new release is rolled out with it: see Overview."))
}

/// Reads assignments as a shell does, as `paasctl config:set --file` reads them.
fn assignments(text: &str) -> Result<Map<String, Value>, String> {
    let words = shell_words::by_line(text.as_bytes())
        .map_err(|line| format!("the text ends inside a quote of what begins in line {line}"))?;
    let mut changes = Map::new();
    for (line, word) in words.into_iter().filter(|(_, word)| word != b"export") {
        let (name, value) = match word.iter().position(|byte| *byte == b'=') {
            Some(at) => (&word[..at], word[at + 1..].to_vec()),
            None => {
                return Err(format!("what begins in line {line} has no `=`; values with spaces need quotes"));
            }
        };
        let value = serde_json::to_value(ConfigValue::from(value)).map_err(|error| error.to_string())?;
        changes.insert(String::from_utf8_lossy(name).into_owned(), value);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_file_is_read_as_a_shell_reads_it_and_no_error_repeats_a_value() {
        let read = assignments("# one\nexport A=1\nB='two\nlines' # more\nC=$'\\xff'\n").unwrap();
        assert_eq!(Value::Object(read), json!({ "A": "1", "B": "two\nlines", "C": { "base64": "/w==" } }));
        let error = assignments("A=1\nB=s3cret and more\n").unwrap_err();
        assert!(error.contains("line 2") && !error.contains("and"), "{error}");
        assert!(assignments("A='open").unwrap_err().contains("line 1"));
        assert_eq!(assignments("# nothing\n").unwrap(), Map::new());
    }
}
