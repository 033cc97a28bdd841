//! The git remote of an app: where it leads, and how git gets the token for it.

use crate::context::Context;
use crate::error::Result;
use crate::git;

/// Makes a remote of this repository lead to an app, unless it leads elsewhere already, and lets git ask paasctl for
/// the token. Says what was done and what comes next.
///
/// # Errors
/// git fails.
pub(crate) fn lead_to(context: &Context, app: &str, remote: &str) -> Result<()> {
    let (screen, credentials) = (&context.screen, context.credentials()?);
    let Ok(name) = app.parse() else { return Ok(()) };
    let url = credentials.url.repository(&name);
    if !git::is_repository() {
        screen.say(&format!("Next: in a git repository, `paasctl git:remote -a {name}`, then push."));
        return Ok(());
    }
    match git::remote_url(remote) {
        None => {
            git::add_remote(remote, &url)?;
            screen.say(&format!("Added the git remote `{remote}`: {url}"));
        }
        Some(same) if same == url => {}
        Some(other) => {
            screen.say(&format!("The git remote `{remote}` leads to {other} and was left alone;"));
            screen.say(&format!("  `git remote set-url {remote} {url}` makes it lead to {name}."));
        }
    }
    git::use_our_credentials(&credentials.url)?;
    if !credentials.lasting {
        screen.say("Git will ask for a password (the token), unless `paasctl login` stores it.");
    }
    let branch = git::branch().filter(|branch| branch == "master").unwrap_or_else(|| "main".to_owned());
    screen.say(&format!("Next: `git push {remote} {branch}` deploys what is committed."));
    Ok(())
}
