//! What `ps:restart` and `ps:stop` are about: all replicas, those of a type, or one.

use std::str::FromStr;

use crate::api::process::Dyno;
use model::name::{AppName, NameError, ProcessType};

/// Some replicas of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// All of a process type.
    Type(ProcessType),
    /// One, such as `web.1`.
    Replica(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let process = |text: &str| text.parse::<ProcessType>().map_err(|error: NameError| error.to_string());
        match text.rsplit_once('.') {
            None => process(text).map(Self::Type),
            Some((kind, number)) => {
                process(kind)?;
                number
                    .parse::<u32>()
                    .map_err(|_| format!("a replica is written web.1, not `{}`", text.escape_debug()))?;
                Ok(Self::Replica(text.to_owned()))
            }
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type(process) => write!(f, "all of {process}"),
            Self::Replica(name) => f.write_str(name),
        }
    }
}

impl Target {
    /// Tells whether the replica is one of them.
    pub(crate) fn holds(&self, dyno: &Dyno) -> bool {
        match self {
            Self::Type(process) => process.as_str() == dyno.r#type,
            Self::Replica(name) => *name == dyno.name,
        }
    }

    /// Returns where the API keeps it.
    pub(crate) fn path(&self, app: &AppName) -> String {
        match self {
            Self::Type(process) => format!("/apps/{app}/formations/{process}"),
            Self::Replica(name) => format!("/apps/{app}/dynos/{name}"),
        }
    }
}
