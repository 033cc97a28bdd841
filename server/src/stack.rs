//! `paasd stack`: makes the image that the Docker engine runs replicas and builds on, and lists those that there are.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Subcommand;
use docker::{Daemon, Stack, build_stack, list_stacks};

/// What is to be done about stacks.
#[derive(Subcommand)]
pub enum StackCommand {
    /// Make the stack image: with the Dockerfile, or of Debian's packages where no registry can be reached
    Build {
        /// Make it of Debian's packages even if the base image can be had
        #[arg(long)]
        from_packages: bool,
    },
    /// List the stack images that the Docker Engine of this machine has
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does it. Returns the process's exit code.
#[must_use]
pub fn main(command: &StackCommand) -> ExitCode {
    crate::serve::run(|| {
        let runtime = crate::serve::runtime()?;
        runtime.block_on(async {
            let daemon = Daemon::connect().await?;
            match command {
                StackCommand::Build { from_packages } => build(&daemon, *from_packages).await,
                StackCommand::List { json } => list(&daemon, *json).await,
            }
        })
    })
}

async fn build(daemon: &Daemon, from_packages: bool) -> anyhow::Result<()> {
    let begun = std::time::Instant::now();
    let mut say = |line: &str| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let stack = build_stack(daemon, from_packages, &mut say).await?;
    let took = begun.elapsed().as_secs();
    print(&format!("{} in {took} s\n", line(&stack)))
}

async fn list(daemon: &Daemon, json: bool) -> anyhow::Result<()> {
    let stacks = list_stacks(daemon).await?;
    if json {
        return print(&format!("{}\n", serde_json::to_string_pretty(&stacks)?));
    }
    if stacks.is_empty() {
        return print("There is no stack yet; `paasd stack build` makes it\n");
    }
    print(&stacks.iter().map(|stack| format!("{}\n", line(stack))).collect::<String>())
}

fn line(stack: &Stack) -> String {
    let id = stack.id.strip_prefix("sha256:").unwrap_or(&stack.id);
    let size = model::wording::bytes(stack.bytes);
    let state = match (&stack.image, stack.current) {
        (None, _) => "replaced by a newer one",
        (_, false) => "of an older list of packages; `paasd stack build` makes it anew",
        _ => "in use",
    };
    let image = stack.image.as_deref().unwrap_or("(no name)");
    format!(
        "{image}  {}  {size}  {}  {state}",
        id.get(..12).unwrap_or(id),
        stack.created.strftime("%Y-%m-%d")
    )
}

/// A reader that went away wants no more.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
