//! `completions`: scripts that complete commands and options.

use clap_complete::Shell;

use crate::context::Context;
use crate::error::Result;
use crate::usage;

/// Print a script that completes commands in your shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl completions bash > ~/.local/share/bash-completion/completions/paasctl
  $ paasctl completions zsh > ~/.zfunc/_paasctl
  $ paasctl completions fish > ~/.config/fish/completions/paasctl.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Bash takes `:` for the end of a word, and our commands have one.
const BASH_COLON: &str = "\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n";

impl Completions {
    /// Prints the script.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut usage::description(), "paasctl", &mut script);
        let mut script = String::from_utf8_lossy(&script).into_owned();
        if self.shell == Shell::Bash {
            script.push_str(BASH_COLON);
        }
        context.screen.write(&script)
    }
}
