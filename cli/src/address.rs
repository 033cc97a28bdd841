//! The address of a server, `http://HOST:PORT`, and the app that a git remote's address names.

use std::fmt;
use std::str::FromStr;

use model::name::AppName;

use crate::error::Error;

/// The scheme, host and port of a server; a final slash and any credentials in it are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: String,
    authority: String,
    path: String,
}

impl Address {
    /// Returns `http` or `https`.
    pub(crate) fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the host, with the port if one is given.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the address of an app's git repository.
    pub(crate) fn repository(&self, app: &AppName) -> String {
        format!("{self}/{app}.git")
    }

    /// Tells whether it is on the same machine and port as another, by the names that are given.
    pub(crate) fn is_on(&self, other: &Self) -> bool {
        let port = |address: &Self| address.authority.rsplit_once(':').map(|(_, port)| port.to_owned());
        let here = self.is_loopback() && other.is_loopback() && port(self) == port(other);
        self.authority == other.authority || here
    }

    /// Tells whether it is this machine, to which no proxy leads.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host);
        matches!(host, "localhost" | "[::1]") || host.starts_with("127.") || host.ends_with(".localhost")
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let example = "An address looks like `http://127.0.0.1:5000` or `https://paas.example.com`.";
            Error::usage("the server's address cannot be read").hint(example)
        };
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let usable = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
        if !matches!(scheme, "http" | "https") || authority.is_empty() || !authority.chars().all(usable) {
            return Err(wrong());
        }
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { scheme: scheme.to_owned(), authority: authority.to_ascii_lowercase(), path })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// Returns the app of a remote's address, `http://HOST/APP.git`.
pub(crate) fn app_of(remote: &str) -> Option<AppName> {
    let address: Address = remote.parse().ok()?;
    let last = address.path.rsplit('/').next()?;
    last.strip_suffix(".git").unwrap_or(last).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_without_credentials_and_final_slash() {
        let address: Address = "http://paas:s3cret@Host.Example:5000/".parse().unwrap();
        assert_eq!(address.to_string(), "http://host.example:5000");
        assert_eq!("https://a.b/paas/".parse::<Address>().unwrap().to_string(), "https://a.b/paas");
        for bad in ["localhost:5000", "ftp://a", "http://", "http://a b"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_repository_is_on_its_server() {
        let is_on = |one: &str, other: &str| one.parse::<Address>().unwrap().is_on(&other.parse().unwrap());
        assert!(is_on("https://paas.example.com/shop.git", "https://paas.example.com"));
        assert!(is_on("http://localhost:5000/shop.git", "http://127.0.0.1:5000"));
        assert!(!is_on("http://localhost:5000/shop.git", "http://127.0.0.1:5001"));
        assert!(!is_on("https://staging.example.com/shop.git", "https://paas.example.com"));
    }

    #[test]
    fn a_remote_names_its_app() {
        assert_eq!(app_of("http://127.0.0.1:5000/shop.git").unwrap().as_str(), "shop");
        assert_eq!(app_of("https://x:y@paas.example.com/shop").unwrap().as_str(), "shop");
        assert_eq!(app_of("git@github.com:me/shop.git"), None);
        assert_eq!(app_of("http://127.0.0.1:5000/"), None);
    }

    #[test]
    fn loopback_is_told_from_other_machines() {
        let loopback = |text: &str| text.parse::<Address>().unwrap().is_loopback();
        assert!(
            loopback("http://127.0.0.1:5000")
                && loopback("http://localhost")
                && loopback("http://[::1]:5000")
        );
        assert!(!loopback("https://paas.example.com") && !loopback("http://10.0.0.1:5000"));
    }
}
