//! What every command starts from: the screen, the server it talks to and the app it is about.

use model::name::AppName;
use serde_json::Value;

use crate::address::{self, Address};
use crate::api::{Api, read};
use crate::credentials::Credentials;
use crate::environment;
use crate::error::{Error, Result};
use crate::git;
use crate::screen::Screen;

/// The options that every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServerOptions {
    /// The server's address; otherwise `PAASCTL_URL`, or the one of `paasctl login`
    #[arg(long, global = true, value_name = "URL", help_heading = "Server")]
    pub(crate) url: Option<String>,

    /// The token; otherwise `PAASCTL_TOKEN`, or the one of `paasctl login`
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Server")]
    pub(crate) token: Option<String>,
}

/// The option that names the app.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct AppOption {
    /// The app; otherwise `PAASCTL_APP`, or the one of the git remote `paas`
    #[arg(short, long, value_name = "APP")]
    pub(crate) app: Option<AppName>,
}

/// The option that asks for data in place of text.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct JsonOption {
    /// Print JSON and nothing else on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

impl JsonOption {
    /// Prints what the server answered, if that is wanted.
    ///
    /// # Errors
    /// Nobody reads it.
    pub(crate) fn print(self, context: &Context, answer: &Value) -> Result<()> {
        if self.json { context.screen.json(answer) } else { Ok(()) }
    }
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where output goes.
    pub(crate) screen: Screen,
    /// Which server was asked for.
    pub(crate) server: ServerOptions,
}

impl Context {
    /// Returns the address and the token to use.
    ///
    /// # Errors
    /// No server is known, or its address cannot be read.
    pub(crate) fn credentials(&self) -> Result<Credentials> {
        Credentials::find(&self.server)
    }

    /// Returns the server's API.
    ///
    /// # Errors
    /// As [`Self::credentials`].
    pub(crate) fn api(&self) -> Result<Api> {
        Ok(Api::new(&self.credentials()?))
    }

    /// Returns the app that the command is about.
    ///
    /// # Errors
    /// None is named anywhere.
    pub(crate) fn app(&self, option: &AppOption) -> Result<AppName> {
        if let Some(name) = &option.app {
            return Ok(name.clone());
        }
        if let Some(name) = environment::variable("PAASCTL_APP") {
            return name.parse().map_err(|error| Error::usage(format!("PAASCTL_APP: {error}")));
        }
        let remote = git::remote_url(git::REMOTE);
        let app = remote.as_deref().and_then(address::app_of).ok_or_else(|| {
            Error::usage("no app is named").hint(
                "Name it with `-a APP` or PAASCTL_APP, or run this in a git repository that has the remote `paas`; \
                 `paasctl apps` lists all apps.",
            )
        })?;
        self.check_remote(remote.as_deref().unwrap_or_default(), &app)?;
        Ok(app)
    }

    /// Refuses an app that is named by a remote which leads to another server than the one that would be asked, where an app of this
    /// name may be, too. A server that is named expressly is meant.
    fn check_remote(&self, remote: &str, app: &AppName) -> Result<()> {
        if self.server.url.is_some() || environment::variable("PAASCTL_URL").is_some() {
            return Ok(());
        }
        let Some(Credentials { url: server, .. }) = Credentials::stored()? else { return Ok(()) };
        let remote: Address = remote.parse()?;
        if remote.is_on(&server) {
            return Ok(());
        }
        let elsewhere = format!("{}://{}", remote.scheme(), remote.authority());
        let message = format!("the remote `paas` leads to {elsewhere}, and you are logged in to {server}");
        Err(Error::usage(message).hint(format!(
            "`paasctl login --url {elsewhere}` logs in there; `-a {app}` means the app {app} of {server}."
        )))
    }

    /// Returns the API and the app.
    ///
    /// # Errors
    /// As [`Self::app`] and [`Self::api`].
    pub(crate) fn api_and_app(&self, option: &AppOption) -> Result<(Api, AppName)> {
        let app = self.app(option)?;
        Ok((self.api()?, app))
    }

    /// Returns the error with the app that was probably meant, if it says that there is no such app.
    pub(crate) fn explained(&self, error: Error) -> Error {
        if error.not_found() != Some("app") || error.hint.is_some() {
            return error;
        }
        let names = self.api().and_then(|api| api.all("/apps")).map(|apps| names(&apps)).unwrap_or_default();
        let given = error.message.split('`').nth(1).unwrap_or_default();
        match model::wording::did_you_mean(given, names.iter().map(String::as_str)) {
            Some(name) => error.hint(format!("Did you mean `{name}`? `paasctl apps` lists all of them.")),
            None => error.hint("`paasctl apps` lists all of them."),
        }
    }
}

fn names(apps: &Value) -> Vec<String> {
    let apps: Vec<crate::api::app::App> = read(apps).unwrap_or_default();
    apps.into_iter().map(|app| app.name).collect()
}
