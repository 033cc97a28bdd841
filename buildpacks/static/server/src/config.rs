//! The site's configuration: the keys of Heroku's static.json that make sense here.
//! <https://github.com/heroku/heroku-buildpack-static#configuration>

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;

use crate::pattern::Pattern;

/// What static.json says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    root: Option<String>,
    pub(crate) clean_urls: bool,
    pub(crate) https_only: bool,
    pub(crate) error_page: Option<String>,
    routes: BTreeMap<Pattern, String>,
    redirects: BTreeMap<Pattern, Redirect>,
    headers: BTreeMap<Pattern, BTreeMap<String, String>>,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
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
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is no JSON of this form, or asks for protection that is not given.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Config> {
        let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
        Config::parse(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Config> {
        let config: Config = serde_json::from_str(text)?;
        if config.others.iter().any(|(key, value)| key.starts_with("basic_auth") && *value != false) {
            // Served without it, the site would be open to everybody.
            bail!("`basic_auth` is not supported; remove it to serve the site without a password");
        }
        for (name, value) in config.headers.values().flatten() {
            HeaderName::try_from(name).with_context(|| format!("`{name}` is no header name"))?;
            HeaderValue::try_from(value)
                .with_context(|| format!("the value of header `{name}` is not allowed"))?;
        }
        for redirect in config.redirects.values() {
            HeaderValue::try_from(&redirect.url).with_context(|| format!("`{}` is no URL", redirect.url))?;
            if !(300..400).contains(&redirect.status) {
                bail!("a redirect has a status from 300 to 399, not {}", redirect.status);
            }
        }
        Ok(config)
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
    fn what_could_not_be_sent_is_refused_at_the_start() {
        assert!(Config::parse(r#"{"headers": {"/": {"a b": "c"}}}"#).is_err());
        assert!(Config::parse(r#"{"headers": {"/": {"a": "b\nc"}}}"#).is_err());
        assert!(Config::parse(r#"{"redirects": {"/a": {"url": "/b", "status": 200}}}"#).is_err());
    }
}
