//! Finds the file that answers for a path: only files below the root, whatever links say.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::refusal::Refusal;
use crate::tag::{Tag, Tags};
use crate::url_path;

/// Files of the app's top that tell the platform something, not visitors.
const FOR_THE_PLATFORM: [&str; 3] = ["Procfile", "app.json", "static.json"];

/// The folder that is served.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    tags: Tags,
}

/// What answers for a path.
#[derive(Debug)]
pub(crate) enum Answer {
    /// This file.
    Page(Page),
    /// The path is a folder's, which is written with a slash at its end.
    AddSlash(String),
    /// Nothing is there; this page says so, if there is one.
    Missing(Option<Page>),
}

/// A file and what to tell caches about it.
#[derive(Debug)]
pub(crate) struct Page {
    /// Below the root.
    pub(crate) path: PathBuf,
    pub(crate) tag: Tag,
}

impl Folder {
    /// Opens the folder that the configuration names in an app's folder.
    ///
    /// # Errors
    /// Fails if it is not there, no folder, or out of the app's, also by a link; and if a file that the configuration
    /// names is not in it.
    pub(crate) fn open(app: &Path, config: &Config) -> Result<Folder, Refusal> {
        let (said, hint) =
            (config.root(), "set `root` in static.json to a folder of the app that is committed");
        let missing =
            |_| Refusal::new(&format!("the site is in `{said}`, and there is no such folder"), hint);
        let home = app.canonicalize().map_err(missing)?;
        let root = home.join(said).canonicalize().map_err(missing)?;
        if !root.starts_with(&home) {
            return Err(Refusal::new(
                &format!("`root` in static.json is `{said}`, which is out of the app"),
                hint,
            ));
        }
        fs::read_dir(&root).map_err(missing)?;
        let folder = Folder { root, tags: Tags::default() };
        let absent = config.targets().find(|(_, name)| folder.named(name).is_none());
        absent.map_or(Ok(folder), |(key, name)| {
            let reason = format!("`{key}` in static.json names `{name}`, which is no file of the site");
            Err(Refusal::new(&reason, "its path starts in the folder that `root` names; commit it there"))
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns what answers for a URL's path: a file of this name, the page a clean URL means, a folder's
    /// index.html, the configured route, 200.html, and then only an error page.
    pub(crate) fn answer(&self, config: &Config, url_path: &str) -> Answer {
        let error_page = || {
            let names = config.error_page.as_deref().into_iter().chain(["404.html"]);
            Answer::Missing(names.filter_map(|name| self.named(name)).next())
        };
        let Some(path) = url_path::decode(url_path) else { return error_page() };
        let exact = match url_path.ends_with('/') {
            true => self.page(path.join("index.html")),
            false => {
                let with_extension = || {
                    let name = path.file_name().filter(|_| config.clean_urls)?.to_str()?;
                    self.page(path.with_file_name(format!("{name}.html")))
                };
                self.page(path.clone()).or_else(with_extension)
            }
        };
        if let Some(page) = exact {
            return Answer::Page(page);
        }
        if !url_path.ends_with('/')
            && self.page(path.join("index.html")).is_some()
            && let Some(url) = url_path::encode(&path)
        {
            return Answer::AddSlash(format!("{url}/"));
        }
        let fallbacks = config.route(url_path).into_iter().chain(["200.html"]);
        fallbacks.filter_map(|name| self.named(name)).next().map_or_else(error_page, Answer::Page)
    }

    fn named(&self, name: &str) -> Option<Page> {
        self.page(url_path::decode(name)?)
    }

    fn page(&self, path: PathBuf) -> Option<Page> {
        if FOR_THE_PLATFORM.iter().any(|name| path == Path::new(name)) {
            return None;
        }
        let file = self.inside(&self.root.join(&path))?;
        let metadata = fs::metadata(&file).ok().filter(fs::Metadata::is_file)?;
        // Their compressed siblings are served in their place.
        for extension in ["gz", "br"] {
            let sibling = PathBuf::from(format!("{}.{extension}", self.root.join(&path).display()));
            if sibling.is_symlink() && self.inside(&sibling).is_none() {
                return None;
            }
        }
        let tag = self.tags.of(&file, &metadata).ok()?;
        Some(Page { path, tag })
    }

    /// Returns where a path leads, `None` if nothing is there, or it is out of the root or hidden in it.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let target = path.canonicalize().ok()?;
        url_path::decode(target.strip_prefix(&self.root).ok().and_then(url_path::encode)?.as_str())?;
        Some(target)
    }
}
