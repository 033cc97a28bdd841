//! Apps and what hangs on them, as the API shows them.

use jiff::Timestamp;
use serde::Deserialize;

/// An app.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct App {
    /// Its name.
    pub(crate) name: String,
    /// Where visitors reach it.
    pub(crate) web_url: Option<String>,
    /// Who made it.
    pub(crate) owner: Option<Person>,
    /// The base system it runs on.
    pub(crate) stack: Option<Named>,
    /// The one that its next build is for.
    pub(crate) build_stack: Option<Named>,
    /// Whether visitors get the maintenance page.
    pub(crate) maintenance: bool,
    /// When it was made.
    pub(crate) created_at: Option<Timestamp>,
    /// When its last release was made.
    pub(crate) released_at: Option<Timestamp>,
    /// The size of its repository in bytes.
    pub(crate) repo_size: Option<u64>,
    /// The size of its slug in bytes.
    pub(crate) slug_size: Option<u64>,
}

/// A user as other objects mention them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Person {
    /// The address that names the user.
    pub(crate) email: String,
}

/// Anything that other objects mention by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
}

/// A host name under which an app answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Domain {
    /// The host name.
    pub(crate) hostname: String,
    /// `heroku` for the app's own, `custom` for others.
    pub(crate) kind: String,
    /// What a DNS record of a custom one should point to.
    pub(crate) cname: Option<String>,
    /// Whether it works.
    pub(crate) status: Option<String>,
}
