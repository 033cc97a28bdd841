//! Which variables of the server a build gets to reach the outside, and the certificate files they name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sandbox::Bind;

const NAMES: [&str; 14] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
];

const PREFIXES: [&str; 5] = ["PIP_", "UV_", "NPM_CONFIG_", "npm_config_", "CARGO_"];

/// Variables with these prefixes that are about this machine and not about the way out.
const NOT: [&str; 12] = [
    "UV_CACHE_DIR",
    "UV_PYTHON",
    "UV_PROJECT_ENVIRONMENT",
    "UV_LINK_MODE",
    "UV_TOOL_DIR",
    "UV_TOOL_BIN_DIR",
    "UV_INSTALL_DIR",
    "PIP_CACHE_DIR",
    "PIP_TARGET",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "PIP_REQUIRE_VIRTUALENV",
];

/// Variables that name files or directories of certificates.
const CERTIFICATES: [&str; 8] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
];

/// What every sandbox shows anyway.
const SHOWN: [&str; 4] = ["/usr", "/etc/ssl/certs", "/etc/pki", "/etc/ca-certificates"];

/// Returns those of the server's variables that a build needs to reach package indexes: proxies, certificates,
/// and the settings of package managers.
#[must_use]
pub fn build_environment(vars: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let wanted = |name: &str| {
        let package_manager = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        // Cargo sets these for programs it runs; they tell of that program.
        let of_cargo = name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST");
        NAMES.contains(&name) || package_manager && !of_cargo && !NOT.contains(&name)
    };
    vars.into_iter().filter(|(name, _)| wanted(name)).collect()
}

/// Returns the binds that show the files of certificates at their own paths.
pub(crate) fn binds(environment: &BTreeMap<String, String>) -> Vec<Bind> {
    let paths = CERTIFICATES.iter().filter_map(|name| environment.get(*name)).map(PathBuf::from);
    let hidden = |path: &PathBuf| {
        path.is_absolute() && path.exists() && !SHOWN.iter().any(|shown| path.starts_with(shown))
    };
    let mut paths: Vec<_> = paths.filter(hidden).collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| Bind::read_only(path.clone(), path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_leads_outside_is_passed_on() {
        let vars =
            ["HTTPS_PROXY", "UV_DEFAULT_INDEX", "UV_CACHE_DIR", "PAASD_DATA_DIR", "AWS_SECRET", "PIP_CERT"];
        let kept = build_environment(vars.map(|name| (name.to_owned(), "x".to_owned())));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["HTTPS_PROXY", "PIP_CERT", "UV_DEFAULT_INDEX"]);
    }

    #[test]
    fn certificates_that_are_shown_anyway_are_not_bound_again() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().to_string_lossy().into_owned();
        let vars =
            [("SSL_CERT_FILE", "/etc/ssl/certs/x.crt"), ("SSL_CERT_DIR", &own), ("PIP_CERT", "/missing")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let binds = binds(&vars.into_iter().collect());
        assert_eq!(binds.into_iter().map(|bind| bind.source).collect::<Vec<_>>(), [dir.path()]);
    }
}
