//! `git:credentials`: answers git's question for a password with the token, for our server only. The protocol is that
//! of git-credential(1): `key=value` lines in and out.

use std::io::{self, Read};

use secrecy::ExposeSecret;

use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::Result;

const QUESTION_MAX: u64 = 64 * 1024;

/// Answer git's question for a password
///
/// Git calls it; `apps:create` sets that up for the server's address only.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ git config credential.http://127.0.0.1:5000.helper '!paasctl git:credentials'
  $ git push paas main")]
pub(crate) struct GitCredentials {
    /// What git wants: get, store or erase
    operation: String,
}

impl GitCredentials {
    /// Answers `get` for our server; says nothing otherwise, and git goes on to ask elsewhere.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut question = String::new();
        io::stdin().lock().take(QUESTION_MAX).read_to_string(&mut question)?;
        if self.operation != "get" {
            return Ok(());
        }
        let credentials = context.credentials()?;
        match credentials.token.as_ref().filter(|_| is_about(&question, &credentials)) {
            Some(token) => {
                context.screen.write(format!("username=paas\npassword={}\n", token.expose_secret()))
            }
            None => Ok(()),
        }
    }
}

fn is_about(question: &str, credentials: &Credentials) -> bool {
    let asked = |key: &str| question.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    asked("protocol") == Some(credentials.url.scheme())
        && asked("host").is_some_and(|host| host.eq_ignore_ascii_case(credentials.url.authority()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_server_is_answered() {
        let url = "http://127.0.0.1:5000".parse().unwrap();
        let credentials = Credentials { url, token: None, lasting: true };
        assert!(is_about("protocol=http\nhost=127.0.0.1:5000\n", &credentials));
        assert!(!is_about("protocol=https\nhost=127.0.0.1:5000\n", &credentials));
        assert!(!is_about("protocol=http\nhost=127.0.0.1:5001\n", &credentials));
        assert!(!is_about("protocol=http\nhost=github.com\n", &credentials));
    }
}
