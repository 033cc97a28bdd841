//! Where a database server is reached. What is shown of it has neither password nor options.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;

use crate::error::{Error, Result};

/// The URL of a `Postgres` database, which may hold a password.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Reads it.
    ///
    /// # Errors
    /// It is no URL of `Postgres`; the reason does not show it.
    pub(crate) fn options(&self) -> Result<AnyConnectOptions> {
        let options: AnyConnectOptions = self.0.parse().map_err(|_| {
            Error::Refused("the database's URL cannot be read; it is postgres://USER@HOST/NAME")
        })?;
        match options.database_url.scheme() {
            "postgres" | "postgresql" => Ok(options),
            _ => {
                Err(Error::Refused("the database's URL begins with postgres://; without one SQLite is used"))
            }
        }
    }

    /// Returns the whole of it, with its password.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    /// Takes any text, so that no error of an option's shows it; it is read when the database is opened.
    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(options) = self.options() else { return f.write_str("a database") };
        let url = &options.database_url;
        let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("a local socket");
        match url.port() {
            Some(port) => write!(f, "{} at {host}:{port}", url.path().trim_start_matches('/')),
            None => write!(f, "{} at {host}", url.path().trim_start_matches('/')),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_shown_of_it_has_no_secret() {
        let shown =
            format!("{0} {0:?}", url("postgres://paas:s3cret@db.example.org:5433/paas?password=s3cret"));
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.starts_with("paas at db.example.org:5433"), "{shown}");
    }

    #[test]
    fn what_is_no_url_of_postgres_is_refused_without_showing_it() {
        for text in ["s3cret", "mysql://u:s3cret@h/d", "postgres://u:s3cret@h:port/d", "sqlite://s3cret"] {
            let error = url(text).options().unwrap_err().to_string();
            assert!(!error.contains("s3cret") && !url(text).to_string().contains("s3cret"), "{error}");
        }
        assert!(url("postgresql://localhost/paas").options().is_ok());
    }
}
