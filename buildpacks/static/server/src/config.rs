//! The site's configuration: the keys of Heroku's static.json that make sense here.
//! <https://github.com/heroku/heroku-buildpack-static#configuration>

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::pattern::Pattern;
use crate::refusal::Refusal;

/// What static.json says.
#[derive(Debug, Default)]
pub(crate) struct Config {
    root: Option<String>,
    pub(crate) clean_urls: bool,
    pub(crate) https_only: bool,
    pub(crate) error_page: Option<String>,
    routes: BTreeMap<Pattern, String>,
    redirects: BTreeMap<Pattern, Redirect>,
    headers: BTreeMap<Pattern, BTreeMap<String, String>>,
    others: Map<String, Value>,
}

/// Where a path has moved.
#[derive(Debug, Deserialize)]
pub(crate) struct Redirect {
    /// The new place, a path or a URL.
    pub(crate) url: String,
    #[serde(default = "moved_permanently")]
    status: u16,
}

fn moved_permanently() -> u16 {
    301
}

impl Redirect {
    /// Returns the status to answer with.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::MOVED_PERMANENTLY)
    }

    fn check(&self) -> Result<(), Refusal> {
        if HeaderValue::try_from(&self.url).is_err() {
            let reason = format!("`{}` in `redirects` of static.json is no URL", self.url);
            return Err(Refusal::new(&reason, "write a path or a URL on one line"));
        }
        if !(300..400).contains(&self.status) {
            let reason = format!("a redirect in static.json has the status {}", self.status);
            return Err(Refusal::new(&reason, "a redirect has a status from 300 to 399"));
        }
        Ok(())
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is no JSON of this form, or asks for protection that is not given.
    pub(crate) fn read(path: &Path) -> Result<Config, Refusal> {
        let text = fs::read_to_string(path).map_err(|error| {
            let reason = format!("could not read {}: {error}", path.display());
            Refusal::new(&reason, "commit it as a file of UTF-8 text")
        })?;
        Config::parse(&text)
    }

    fn parse(text: &str) -> Result<Config, Refusal> {
        let keys: Result<Map<String, Value>, _> = serde_json::from_str(text);
        let mut keys = keys.map_err(|error| {
            let what = if error.is_data() { "no JSON object" } else { "no JSON" };
            Refusal::new(&format!("static.json is {what}: {error}"), "write it like `{\"root\": \"dist\"}`")
        })?;
        let config = Config {
            root: take(&mut keys, "root")?,
            clean_urls: take(&mut keys, "clean_urls")?,
            https_only: take(&mut keys, "https_only")?,
            error_page: take(&mut keys, "error_page")?,
            routes: take(&mut keys, "routes")?,
            redirects: take(&mut keys, "redirects")?,
            headers: take(&mut keys, "headers")?,
            others: keys,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.others.iter().any(|(key, value)| key.starts_with("basic_auth") && *value != false) {
            // Served without it, the site would be open to everybody.
            let reason = "`basic_auth` in static.json is not supported";
            return Err(Refusal::new(reason, "remove it to serve the site without a password"));
        }
        for (name, value) in self.headers.values().flatten() {
            if HeaderName::try_from(name).is_err() {
                let reason = format!("`{name}` in `headers` of static.json is no name of a header");
                return Err(Refusal::new(&reason, "a name is made of letters, digits and dashes"));
            }
            if HeaderValue::try_from(value).is_err() {
                let reason = format!("the value of `{name}` in `headers` of static.json cannot be sent");
                return Err(Refusal::new(&reason, "a value is one line without control characters"));
            }
        }
        self.redirects.values().try_for_each(Redirect::check)
    }

    /// Returns the folder to serve, below the app's.
    pub(crate) fn root(&self) -> &str {
        self.root.as_deref().unwrap_or(".").trim_start_matches('/')
    }

    /// Returns one sentence for each key that has no effect.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let known = ["basic_auth", "basic_auth_path"];
        let others = self.others.keys().filter(move |key| !known.contains(&key.as_str()));
        others.map(|key| format!("`{key}` in static.json is not supported and has no effect"))
    }

    /// Returns the files that it names, each with the key that does.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let routes = self.routes.values().map(|target| ("routes", target.as_str()));
        self.error_page.iter().map(|page| ("error_page", page.as_str())).chain(routes)
    }

    /// Returns the file that answers for a path which names no file.
    pub(crate) fn route(&self, path: &str) -> Option<&str> {
        Some(best(&self.routes, path)?.trim_start_matches('/'))
    }

    /// Returns where a path has moved.
    pub(crate) fn redirect(&self, path: &str) -> Option<&Redirect> {
        best(&self.redirects, path)
    }

    /// Returns the headers for a path; where patterns disagree the more specific one comes last.
    pub(crate) fn headers(&self, path: &str) -> Vec<(HeaderName, HeaderValue)> {
        let mut matching: Vec<_> = self.headers.iter().filter(|(pattern, _)| pattern.matches(path)).collect();
        matching.sort_by_key(|(pattern, _)| pattern.weight());
        let headers = matching.into_iter().flat_map(|(_, headers)| headers);
        headers.filter_map(|(name, value)| Some((name.try_into().ok()?, value.try_into().ok()?))).collect()
    }
}

/// Takes a key out; a missing one is as good as one that says nothing.
fn take<T: DeserializeOwned + Default>(keys: &mut Map<String, Value>, key: &str) -> Result<T, Refusal> {
    let value = keys.remove(key).filter(|value| !value.is_null());
    let read = value.map(serde_json::from_value).transpose();
    Ok(read.map_err(|error| wrong(key, &error))?.unwrap_or_default())
}

fn wrong(key: &str, error: &serde_json::Error) -> Refusal {
    let example = match key {
        "root" => "\"root\": \"dist\"",
        "error_page" => "\"error_page\": \"404.html\"",
        "routes" => "\"routes\": {\"/**\": \"index.html\"}",
        "redirects" => "\"redirects\": {\"/old\": {\"url\": \"/new\"}}",
        "headers" => "\"headers\": {\"/**\": {\"X-Frame-Options\": \"DENY\"}}",
        _ => {
            return Refusal::new(&format!("`{key}` in static.json is wrong: {error}"), "write true or false");
        }
    };
    Refusal::new(&format!("`{key}` in static.json is wrong: {error}"), &format!("write it like `{example}`"))
}

fn best<'a, T>(rules: &'a BTreeMap<Pattern, T>, path: &str) -> Option<&'a T> {
    let matching = rules.iter().filter(|(pattern, _)| pattern.matches(path));
    matching.max_by_key(|(pattern, _)| pattern.weight()).map(|(_, rule)| rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_specific_rule_wins_whatever_the_order() {
        let text = r#"{"routes": {"/**": "index.html", "/admin/**": "/admin/app.html"},
            "headers": {"/a/*": {"x-who": "a"}, "/**": {"x-who": "all", "x-all": "1"}}}"#;
        let config = Config::parse(text).unwrap();
        assert_eq!(config.route("/admin/users"), Some("admin/app.html"));
        assert_eq!(config.route("/users"), Some("index.html"));
        let headers: Vec<_> = config.headers("/a/b").into_iter().map(|(_, value)| value).collect();
        assert_eq!(headers, ["1", "all", "a"]);
    }

    #[test]
    fn a_site_that_wants_a_password_is_not_served_without_one() {
        let error = Config::parse(r#"{"basic_auth": true}"#).unwrap_err();
        assert!(error.to_string().contains("not supported"), "{error}");
        assert!(Config::parse(r#"{"basic_auth": false}"#).is_ok());
    }

    #[test]
    fn keys_without_effect_are_told() {
        let config = Config::parse(r#"{"root": "dist/", "proxies": {}}"#).unwrap();
        assert_eq!(config.root(), "dist/");
        let notes: Vec<_> = config.notes().collect();
        assert_eq!(notes, ["`proxies` in static.json is not supported and has no effect"]);
    }

    #[test]
    fn what_is_no_json_or_of_a_wrong_type_is_told_with_its_key_and_an_example() {
        for (text, said) in [
            (
                "{\"root\": \"a\",}",
                "static.json is no JSON: trailing comma at line 1 column 14; write it like",
            ),
            ("", "static.json is no JSON: EOF"),
            ("[]", "static.json is no JSON object: invalid type: sequence"),
            (
                r#"{"root": 1}"#,
                "`root` in static.json is wrong: invalid type: integer `1`, expected a string",
            ),
            (
                r#"{"clean_urls": "yes"}"#,
                "`clean_urls` in static.json is wrong: invalid type: string \"yes\"",
            ),
            (
                r#"{"routes": ["a"]}"#,
                "`routes` in static.json is wrong: invalid type: sequence, expected a map",
            ),
            (r#"{"redirects": {"/a": {}}}"#, "`redirects` in static.json is wrong: missing field `url`"),
            (r#"{"headers": {"/": {"a": 1}}}"#, "`headers` in static.json is wrong: invalid type"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        assert!(Config::parse(r#"{"root": null, "clean_urls": null}"#).is_ok());
    }

    #[test]
    fn what_could_not_be_sent_is_refused_at_the_start() {
        assert!(Config::parse(r#"{"headers": {"/": {"a b": "c"}}}"#).is_err());
        assert!(Config::parse(r#"{"headers": {"/": {"a": "b\nc"}}}"#).is_err());
        assert!(Config::parse(r#"{"redirects": {"/a": {"url": "/b", "status": 200}}}"#).is_err());
    }
}
