//! The buildpacks that come with the platform: every folder of `buildpacks/`.

use include_dir::{Dir, include_dir};

use crate::{Buildpack, BuildpackError};

static FOLDERS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../buildpacks");

/// Returns the built-in buildpacks in the order of detection.
///
/// # Errors
/// A folder whose `buildpack.toml` cannot be used; a test of this crate sees to it that none is shipped.
pub fn builtin() -> Result<Vec<Buildpack>, BuildpackError> {
    let shared = FOLDERS.get_file("lib.sh").map_or(&[][..], include_dir::File::contents);
    // The stack's folder is none.
    let buildpacks = FOLDERS.dirs().filter(|folder| folder.contains(folder.path().join("buildpack.toml")));
    let mut all: Vec<_> =
        buildpacks.map(|folder| Buildpack::read(folder, shared)).collect::<Result<_, _>>()?;
    all.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_is_a_buildpack_with_its_scripts() {
        let names: Vec<_> = builtin().unwrap().into_iter().map(|b| b.name).collect();
        assert_eq!(names, ["python", "static", "procfile"]);
        for buildpack in builtin().unwrap() {
            let dir = tempfile::tempdir().unwrap();
            buildpack.unpack(dir.path()).unwrap();
            for script in ["bin/detect", "bin/compile", "lib.sh"] {
                assert!(dir.path().join(script).is_file(), "{} has no {script}", buildpack.name);
            }
        }
    }
}
