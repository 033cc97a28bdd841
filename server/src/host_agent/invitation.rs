//! By what a machine may join: a token that a person made for it, or the launch of the instance that it is.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use fleet::MetadataUrl;
use serde::Deserialize;

/// How the secret is called in the file of options.
const LAUNCH_SECRET: &str = "launch-secret";

/// By what this machine may join. One that has joined needs none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Invitation {
    /// Nothing was given.
    None,
    /// The file with a token of `paasctl hosts:add`.
    Token(PathBuf),
    /// The launch of an instance.
    Launch(Launch),
}

/// What an instance was given at its launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launch {
    /// What lets one machine join once; empty when it has.
    pub(super) secret: Given,
    /// The certificate of the platform's authority, as PEM.
    pub(super) authority: Given,
    /// Where the instance asks what it is.
    pub(super) metadata: MetadataUrl,
    /// The file of options.
    pub(super) config: Option<PathBuf>,
}

impl Invitation {
    /// Makes one of what was given.
    ///
    /// # Errors
    /// It does not go together, or lacks something.
    pub(super) fn of(
        token: Option<PathBuf>,
        secret: Option<Given>,
        authority: Option<Given>,
        (metadata, config): (Option<MetadataUrl>, Option<PathBuf>),
    ) -> Result<Self> {
        match (token, secret) {
            (Some(_), Some(_)) => {
                bail!("--join-token and --launch-secret are two ways to join; one is enough")
            }
            (Some(token), None) => Ok(Self::Token(token)),
            (None, Some(secret)) => {
                let authority =
                    authority.context("--launch-secret needs --authority, by which servers are known")?;
                let metadata = metadata.unwrap_or_default();
                Ok(Self::Launch(Launch { secret, authority, metadata, config }))
            }
            (None, None) => Ok(Self::None),
        }
    }

    /// Returns the launch if the machine is an instance.
    pub(super) fn launch(&self) -> Option<&Launch> {
        match self {
            Self::Launch(launch) => Some(launch),
            Self::None | Self::Token(_) => None,
        }
    }
}

impl Launch {
    /// Removes the secret: the machine has joined, and nobody else should.
    ///
    /// # Errors
    /// It is still there, and of no use any more.
    pub(super) fn forget_secret(&self) -> Result<()> {
        match (&self.secret, &self.config) {
            (Given::File(path), _) => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("cannot remove {}", path.display()))
                }
                _ => Ok(()),
            },
            (Given::Text(text), Some(config)) if !text.is_empty() => {
                empty_secret(config).with_context(|| format!("cannot write {}", config.display()))
            }
            (Given::Text(_), _) => Ok(()),
        }
    }
}

/// Empties the secret in a file of options: that it is there still says that this is an instance.
fn empty_secret(config: &Path) -> Result<()> {
    let mut options: toml::Table = fs::read_to_string(config)?.parse()?;
    options.insert(LAUNCH_SECRET.to_owned(), String::new().into());
    Ok(fleet::write_private(config, toml::to_string(&options)?.as_bytes())?)
}

/// What stands in a file of its own on the command line, and is written out in a file of options.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) enum Given {
    /// The file that it is in.
    File(PathBuf),
    /// Itself.
    Text(String),
}

impl From<String> for Given {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl FromStr for Given {
    type Err = std::convert::Infallible;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        Ok(Self::File(path.into()))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("a text"),
        }
    }
}

impl Given {
    /// Returns it as text.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(&self) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(secret: Given, config: Option<&Path>) -> Launch {
        let authority = Given::Text(String::new());
        let metadata = MetadataUrl::default();
        Launch { secret, authority, metadata, config: config.map(Path::to_owned) }
    }

    #[test]
    fn a_secret_is_gone_when_it_was_used_and_whatever_stood_beside_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (file, config) = (dir.path().join("secret"), dir.path().join("agent.toml"));
        fs::write(&file, "5ec7e7").unwrap();
        let in_file = launch(Given::File(file.clone()), None);
        in_file.forget_secret().unwrap();
        in_file.forget_secret().unwrap();
        assert!(!file.exists());
        fs::write(&config, "server = [\"https://a:1\"]\nlaunch-secret = \"5ec7e7\"\nauthority = \"x\\ny\"\n")
            .unwrap();
        launch(Given::Text("5ec7e7".to_owned()), Some(&config)).forget_secret().unwrap();
        let left = fs::read_to_string(&config).unwrap();
        assert!(!left.contains("5ec7e7"), "{left}");
        let left: toml::Table = left.parse().unwrap();
        assert_eq!((left["authority"].as_str(), left["launch-secret"].as_str()), (Some("x\ny"), Some("")));
        assert!(!format!("{:?}", launch(Given::Text("5ec7e7".to_owned()), None)).contains("5ec7e7"));
    }
}
