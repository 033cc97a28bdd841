//! `login`: checks an address and a token and keeps them.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;

use secrecy::SecretString;

use crate::address::Address;
use crate::api::access::User;
use crate::api::{Api, read};
use crate::context::{Context, JsonOption};
use crate::credentials::Credentials;
use crate::environment;
use crate::error::{Error, Result};

const DEFAULT_URL: &str = "http://127.0.0.1:5000";

/// Longer than any token.
const TOKEN_MAX: u64 = 4_096;

/// Keep a server's address and a token
///
/// The token is asked for without showing it, or read from stdin when that is no terminal. It is kept in
/// ~/.config/paasctl/config.toml (under `XDG_CONFIG_HOME` if set), readable by you only.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl login --url http://127.0.0.1:5000 --token-file data/admin-token
  Logged in as admin@localhost at http://127.0.0.1:5000
  The token is kept in /home/ada/.config/paasctl/config.toml")]
pub(crate) struct Login {
    /// Read the token from a file, such as the server's `admin-token`
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,

    #[command(flatten)]
    json: JsonOption,
}

impl Login {
    /// Keeps nothing that the server does not accept.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let url = self.url(context)?;
        let token = SecretString::from(self.token(context)?);
        let credentials = Credentials { url, token: Some(token), lasting: true };
        let account = Api::new(&credentials).get("/account")?;
        let user: User = read(&account)?;
        let path = credentials.store()?;
        context.screen.say(&format!("Logged in as {} at {}", user.email, credentials.url));
        context.screen.say(&format!("The token is kept in {}", path.display()));
        if environment::variable("PAASCTL_TOKEN").is_some() || environment::variable("PAASCTL_URL").is_some()
        {
            context.screen.say("PAASCTL_URL and PAASCTL_TOKEN are set and go before it.");
        }
        self.json.print(context, &account)
    }

    fn url(&self, context: &Context) -> Result<Address> {
        if let Some(url) = context.server.url.clone().or_else(|| environment::variable("PAASCTL_URL")) {
            return url.parse();
        }
        let known = Credentials::stored()
            .ok()
            .flatten()
            .map_or_else(|| DEFAULT_URL.to_owned(), |s| s.url.to_string());
        if !io::stdin().is_terminal() {
            return known.parse();
        }
        let _ = write!(io::stderr(), "Address of the server [{known}]: ");
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        if line.trim().is_empty() { known.parse() } else { line.parse() }
    }

    fn token(&self, context: &Context) -> Result<String> {
        let given = match (&context.server.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| {
                Error::failed(format!("cannot read {}: {}", path.display(), error.kind()))
                    .hint("`admin-token` is in the server's data directory, readable by who runs the server.")
            })?,
            (None, None) if io::stdin().is_terminal() => rpassword::prompt_password("Token: ")?,
            (None, None) => {
                let mut text = String::new();
                io::stdin().lock().take(TOKEN_MAX).read_to_string(&mut text)?;
                text
            }
        };
        match given.trim() {
            "" => Err(Error::usage("no token was given")
                .hint("Type it, give `--token-file FILE`, or write it to stdin; the first one is in the server's `admin-token`.")),
            token => Ok(token.to_owned()),
        }
    }
}
