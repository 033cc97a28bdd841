//! Which server to talk to and with which token: from options, the environment or the config file that `login`
//! writes. A token of the file is only ever used for the address it was stored with.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::context::ServerOptions;
use crate::environment;
use crate::error::{Error, Result};

const HOW_TO_LOG_IN: &str = "`paasctl login` asks for the server's address and a token; the first token is in the \
                             file `admin-token` of the server's data directory.";

/// A server's address with the token to use there.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Where the server is.
    pub(crate) url: Address,
    /// The token, unless none is known for this address.
    pub(crate) token: Option<SecretString>,
    /// Whether git can find the token too; an option of one command line is gone when git asks.
    pub(crate) lasting: bool,
}

#[derive(Serialize, Deserialize)]
struct ConfigFile {
    url: String,
    token: String,
}

impl Credentials {
    /// Returns what to use: each of address and token from the option, else the environment, else the file.
    ///
    /// # Errors
    /// No address is known, it cannot be read, or the file cannot be read.
    pub(crate) fn find(options: &ServerOptions) -> Result<Self> {
        let stored = Self::stored()?;
        let given_url = options.url.clone().or_else(|| environment::variable("PAASCTL_URL"));
        let url = match (given_url, &stored) {
            (Some(url), _) => url.parse()?,
            (None, Some(stored)) => stored.url.clone(),
            (None, None) => return Err(Error::failed("no server is known").hint(HOW_TO_LOG_IN)),
        };
        let lasting = options.url.is_none() && options.token.is_none();
        let given_token = options.token.clone().or_else(|| environment::variable("PAASCTL_TOKEN"));
        let token = given_token
            .map(SecretString::from)
            .or_else(|| stored.filter(|stored| stored.url == url).and_then(|stored| stored.token));
        Ok(Self { url, token, lasting })
    }

    /// Returns what the config file holds.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub(crate) fn stored() -> Result<Option<Self>> {
        let Some(path) = config_path() else { return Ok(None) };
        let unreadable = |why: String| {
            Error::failed(format!("cannot read {}: {why}", path.display()))
                .hint("`paasctl login` writes it anew.")
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        // The parser's own message would quote the line, and the line may hold the token.
        let file: ConfigFile =
            toml::from_str(&text).map_err(|_| unreadable("it is not what `login` writes".into()))?;
        Ok(Some(Self { url: file.url.parse()?, token: Some(file.token.into()), lasting: true }))
    }

    /// Writes the config file anew, readable by its owner only, and returns its path.
    ///
    /// # Errors
    /// There is no home directory, or the file cannot be written.
    pub(crate) fn store(&self) -> Result<PathBuf> {
        let path = config_path().ok_or_else(|| Error::failed("neither HOME nor XDG_CONFIG_HOME is set"))?;
        let token = self.token.as_ref().map(|token| token.expose_secret().to_owned()).unwrap_or_default();
        let file = ConfigFile { url: self.url.to_string(), token };
        let text = toml::to_string(&file).map_err(|_| Error::failed("the token cannot be stored"))?;
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            // A new file takes the old one's place, so that an old one's wider mode never covers the token.
            let new = path.with_extension(format!("{}.new", std::process::id()));
            let mut out =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            out.write_all(text.as_bytes())?;
            fs::rename(&new, &path)
        };
        write().map_err(|error| Error::failed(format!("cannot write {}: {error}", path.display())))?;
        Ok(path)
    }

    /// Removes the config file and tells whether there was one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn forget() -> Result<bool> {
        let Some(path) = config_path() else { return Ok(false) };
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::failed(format!("cannot remove {}: {error}", path.display()))),
        }
    }
}

/// Returns where the config file is: `paasctl/config.toml` under `XDG_CONFIG_HOME` or `~/.config`.
pub(crate) fn config_path() -> Option<PathBuf> {
    let base = environment::variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        base.or_else(|| environment::variable("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(base.join("paasctl/config.toml"))
}
