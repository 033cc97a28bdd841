//! The platform's own programs that buildpacks use, and where they lie on this host.

use std::env;
use std::path::{Path, PathBuf};

/// Programs that a build finds in `/opt/paas/bin`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// uv, which installs Python packages.
    pub uv: Option<PathBuf>,
    /// The file server of static sites.
    pub static_server: Option<PathBuf>,
}

impl Tools {
    /// Looks for each tool: by its variable (`PAASD_UV`, `PAASD_STATIC_SERVER`), beside this program, in the
    /// `tools` directory of the data directory, in `/usr/local/bin`, and by `PATH`.
    #[must_use]
    pub fn find(data_dir: &Path) -> Self {
        Self {
            uv: find("PAASD_UV", "uv", data_dir),
            static_server: find("PAASD_STATIC_SERVER", "static-server", data_dir),
        }
    }

    /// Returns the tools there are, by their names in a build.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let named = [("uv", &self.uv), ("static-server", &self.static_server)];
        named.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)))
    }
}

fn find(variable: &str, name: &str, data_dir: &Path) -> Option<PathBuf> {
    let set = env::var_os(variable).map(PathBuf::from);
    let program = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    // Tests lie one directory below the programs.
    let above = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    let directories =
        program.into_iter().chain(above).chain([data_dir.join("tools"), "/usr/local/bin".into()]);
    let candidates = directories.chain(env::split_paths(&path)).map(|directory| directory.join(name));
    let found = set.into_iter().chain(candidates).find(|path| path.is_file())?;
    std::path::absolute(found).ok()
}
