//! Which variables of the server a build gets to reach the outside, and the certificate files they name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sandbox::Bind;

/// The variables, in any case: tools read some in small letters. None of them is a credential by itself, and a
/// new name never comes in by how it starts: `UV_PUBLISH_TOKEN` and `CARGO_REGISTRY_TOKEN` are the server's own.
const NAMES: [&str; 50] = [
    "ALL_PROXY",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_CHECK_REVOKE",
    "CARGO_HTTP_PROXY",
    "CARGO_HTTP_TIMEOUT",
    "CARGO_NET_RETRY",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "NPM_CONFIG_CAFILE",
    "NPM_CONFIG_FETCH_RETRIES",
    "NPM_CONFIG_FETCH_TIMEOUT",
    "NPM_CONFIG_HTTPS_PROXY",
    "NPM_CONFIG_NOPROXY",
    "NPM_CONFIG_PROXY",
    "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_STRICT_SSL",
    "PIP_CERT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_CONNECT_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_PYTHON_DOWNLOADS_JSON_URL",
    "UV_PYTHON_INSTALL_MIRROR",
    "UV_REQUEST_TIMEOUT",
    "UV_SYSTEM_CERTS",
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
/// indexes, mirrors and times to wait. A URL among them may hold a user's password, which logs must hide.
#[must_use]
pub fn build_environment(vars: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let wanted = |name: &str| NAMES.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
    vars.into_iter().filter(|(name, _)| wanted(name)).collect()
}

/// Returns the binds that show the files of certificates, which these variables name, at their own paths.
#[must_use]
pub fn certificate_binds(environment: &BTreeMap<String, String>) -> Vec<Bind> {
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

    fn kept(names: &[&str]) -> Vec<String> {
        let vars = names.iter().map(|name| ((*name).to_owned(), "x".to_owned()));
        build_environment(vars).into_keys().collect()
    }

    #[test]
    fn only_what_leads_outside_is_passed_on() {
        let outside = ["HTTPS_PROXY", "PIP_CERT", "UV_DEFAULT_INDEX", "https_proxy", "npm_config_registry"];
        assert_eq!(kept(&outside), outside);
        assert!(kept(&["UV_CACHE_DIR", "CARGO_HOME", "CARGO_PKG_NAME", "PAASD_DATA_DIR"]).is_empty());
    }

    #[test]
    fn no_credential_of_the_server_is_passed_on() {
        let credentials = [
            "CARGO_REGISTRY_TOKEN",
            "CARGO_REGISTRIES_OURS_TOKEN",
            "UV_PUBLISH_TOKEN",
            "UV_PUBLISH_PASSWORD",
            "UV_PUBLISH_URL",
            "UV_INDEX_OURS_PASSWORD",
            "UV_GITHUB_TOKEN",
            "UV_KEYRING_PROVIDER",
            "PIP_PASSWORD",
            "NPM_CONFIG__AUTH",
            "npm_config__authToken",
            "AWS_SECRET_ACCESS_KEY",
        ];
        assert!(kept(&credentials).is_empty(), "{:?}", kept(&credentials));
        let words = ["TOKEN", "PASSWORD", "SECRET", "KEY", "PUBLISH", "AUTH"];
        let odd: Vec<_> = NAMES.iter().filter(|name| words.iter().any(|word| name.contains(word))).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }

    #[test]
    fn certificates_that_are_shown_anyway_are_not_bound_again() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().to_string_lossy().into_owned();
        let vars =
            [("SSL_CERT_FILE", "/etc/ssl/certs/x.crt"), ("SSL_CERT_DIR", &own), ("PIP_CERT", "/missing")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let binds = certificate_binds(&vars.into_iter().collect());
        assert_eq!(binds.into_iter().map(|bind| bind.source).collect::<Vec<_>>(), [dir.path()]);
    }
}
