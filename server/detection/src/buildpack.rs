//! One buildpack: what its `buildpack.toml` says, and its files.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use include_dir::Dir;
use serde::Deserialize;

/// A built-in buildpack. A folder with `buildpack.toml`, `bin/` and, if it wants, `lib/`.
#[derive(Debug, Clone)]
pub struct Buildpack {
    /// Its name, which is also its folder's.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its place in the order of detection; lower comes first.
    pub order: u32,
    /// What it builds, in one sentence.
    pub description: String,
    /// The names of files that speak for it, used to find near misses.
    pub manifests: Vec<String>,
    files: Dir<'static>,
    shared: &'static [u8],
}

/// A folder is not a buildpack.
#[derive(Debug, thiserror::Error)]
#[error("buildpacks/{folder}/buildpack.toml cannot be used: {reason}")]
pub struct BuildpackError {
    folder: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    version: String,
    order: u32,
    description: String,
    #[serde(default)]
    manifests: Vec<String>,
}

/// Where the script with the output functions lies in each copy of a buildpack.
const SHARED: &str = "lib.sh";

impl Buildpack {
    pub(crate) fn read(files: &Dir<'static>, shared: &'static [u8]) -> Result<Self, BuildpackError> {
        let folder = files.path().display().to_string();
        let error = |reason: String| BuildpackError { folder: folder.clone(), reason };
        let text = files
            .get_file(files.path().join("buildpack.toml"))
            .and_then(include_dir::File::contents_utf8)
            .ok_or_else(|| error("it is missing".into()))?;
        let told: Description = toml::from_str(text).map_err(|e| error(e.message().to_owned()))?;
        if told.name != folder {
            return Err(error(format!("it calls itself `{}`", told.name)));
        }
        let Description { name, version, order, description, manifests } = told;
        Ok(Self { name, version, order, description, manifests, files: files.clone(), shared })
    }

    /// Writes a fresh copy of its scripts into a directory, which it creates.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn unpack(&self, to: &Path) -> io::Result<()> {
        std::fs::create_dir_all(to)?;
        std::fs::write(to.join(SHARED), self.shared)?;
        for folder in ["bin", "lib"] {
            if let Some(dir) = self.files.get_dir(self.files.path().join(folder)) {
                self.write(dir, to)?;
            }
        }
        Ok(())
    }

    fn write(&self, dir: &Dir<'static>, to: &Path) -> io::Result<()> {
        let target = |path: &Path| to.join(path.strip_prefix(self.files.path()).unwrap_or(path));
        std::fs::create_dir_all(target(dir.path()))?;
        for file in dir.files() {
            let path = target(file.path());
            std::fs::write(&path, file.contents())?;
            let mode = if file.path().parent().is_some_and(|p| p.ends_with("bin")) { 0o755 } else { 0o644 };
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        }
        dir.dirs().try_for_each(|inner| self.write(inner, to))
    }
}
