//! The platform's own programs that buildpacks use, and where they lie on this host.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Programs that a build finds in `/opt/paas/bin`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    uv: Option<PathBuf>,
    uv_version: Option<String>,
    static_server: Option<PathBuf>,
}

impl Tools {
    /// Returns these tools: uv, which installs Python packages, and the file server of static sites.
    #[must_use]
    pub fn new(uv: Option<PathBuf>, static_server: Option<PathBuf>) -> Self {
        // Asked once here, for it costs each build as much as the rest of its planning.
        let uv_version = uv.as_deref().and_then(version_of);
        Self { uv, uv_version, static_server }
    }

    /// Looks for each tool: by its variable (`PAASD_UV`, `PAASD_STATIC_SERVER`), beside this program, in the
    /// `tools` directory of the data directory, in `/usr/local/bin`, and by `PATH`.
    #[must_use]
    pub fn find(data_dir: &Path) -> Self {
        let static_server = find("PAASD_STATIC_SERVER", "static-server", data_dir);
        Self::new(find("PAASD_UV", "uv", data_dir), static_server)
    }

    /// Returns where uv is, if there is one.
    #[must_use]
    pub fn uv(&self) -> Option<&Path> {
        self.uv.as_deref()
    }

    /// Returns uv's version, if it told one.
    #[must_use]
    pub fn uv_version(&self) -> Option<&str> {
        self.uv_version.as_deref()
    }

    /// Returns where the file server of static sites is, if there is one.
    #[must_use]
    pub fn static_server(&self) -> Option<&Path> {
        self.static_server.as_deref()
    }

    /// Returns the tools there are, by their names in a build.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let named = [("uv", &self.uv), ("static-server", &self.static_server)];
        named.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)))
    }
}

/// Reads `uv 0.9.1 (…)`.
fn version_of(uv: &Path) -> Option<String> {
    let told = Command::new(uv).arg("--version").stdin(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&told.stdout).split_whitespace().nth(1).map(str::to_owned)
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
