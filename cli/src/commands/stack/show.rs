//! `stack`: what an app is built on, and what else there is.

use crate::api::app::{App, Named};
use crate::api::read;
use crate::context::{AppOption, Context, JsonOption};
use crate::error::Result;

/// Show the stack of an app, and those that there are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl stack -a shop
    container
  * debian-12
  $ paasctl stack:set container -a shop
  The next push to shop is built on container.")]
pub(crate) struct Show {
    #[command(flatten)]
    app: AppOption,

    #[command(flatten)]
    json: JsonOption,
}

impl Show {
    /// Prints all, with a star before the one that the next build is for.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (api, name) = context.api_and_app(&self.app)?;
        let body = api.get(&format!("/apps/{name}"))?;
        if self.json.json {
            return context.screen.json(&body["build_stack"]);
        }
        let app: App = read(&body)?;
        let chosen = app.build_stack.unwrap_or_default().name;
        let stacks: Vec<Named> = read(&api.all(&format!("/apps/{name}/available-stacks"))?)?;
        let line = |stack: &Named| format!("{} {}", if stack.name == chosen { "*" } else { " " }, stack.name);
        context.screen.print(&stacks.iter().map(line).collect::<Vec<_>>().join("\n"))?;
        if let Some(serving) = app.stack.filter(|stack| stack.name != chosen) {
            context.screen.say(&format!(
                "What serves is built on {}; {chosen} takes effect with the next push.",
                serving.name
            ));
        }
        Ok(())
    }
}
