//! Finds what comes nearest to a match when nothing matched: a misspelt name, a manifest in a subdirectory, a
//! language whose buildpack is not there yet.

use strsim::damerau_levenshtein;

use crate::{Buildpack, Listing};

/// The nearest miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// The file that nearly made a buildpack apply.
    pub path: String,
    /// What it is and what to do, in one sentence.
    pub hint: String,
}

/// Manifests of languages that have no buildpack here yet.
const TO_COME: [(&str, &str); 14] = [
    ("package.json", "nodejs"),
    ("Gemfile", "ruby"),
    ("go.mod", "go"),
    ("pom.xml", "java"),
    ("build.gradle", "gradle"),
    ("build.gradle.kts", "gradle"),
    ("composer.json", "php"),
    ("index.php", "php"),
    ("Cargo.toml", "rust"),
    ("mix.exs", "elixir"),
    ("project.clj", "clojure"),
    ("build.sbt", "scala"),
    ("global.json", "dotnet"),
    ("deno.json", "deno"),
];

/// Returns the nearest miss: in the root misspelt, then a Dockerfile, then a language to come, then in a subdirectory.
#[must_use]
pub fn nearest(source: &Listing, all: &[Buildpack]) -> Option<Miss> {
    let near = misspelt(source, all).or_else(|| dockerfile(source)).or_else(|| to_come(source, all));
    near.or_else(|| elsewhere(source, all))
}

/// It describes an image, which only an app on the stack of images is built from.
fn dockerfile(source: &Listing) -> Option<Miss> {
    let path = source.root().find(|name| *name == "Dockerfile")?.to_owned();
    let hint =
        "there is a `Dockerfile`: `paasctl stack:set container` has the next push build its image".to_owned();
    Some(Miss { path, hint })
}

fn misspelt(source: &Listing, all: &[Buildpack]) -> Option<Miss> {
    let candidates = source.root().filter_map(|name| {
        let (distance, buildpack, manifest) = closest(name, all)?;
        Some((distance, name, buildpack, manifest))
    });
    let (_, name, buildpack, manifest) = candidates.min()?;
    let hint = format!(
        "`{name}` looks like `{manifest}`, which {buildpack} reads: rename it with `git mv {name} {manifest}` and push again"
    );
    Some(Miss { path: name.to_owned(), hint })
}

fn closest<'a>(name: &str, all: &'a [Buildpack]) -> Option<(usize, &'a str, &'a str)> {
    let lower = name.to_lowercase();
    manifests(all)
        .filter(|(_, manifest)| *manifest != name)
        .map(|(buildpack, manifest)| {
            (damerau_levenshtein(&lower, &manifest.to_lowercase()), buildpack, manifest)
        })
        .filter(|(distance, _, manifest)| *distance <= (manifest.len() / 6).max(1))
        .min()
}

fn to_come(source: &Listing, all: &[Buildpack]) -> Option<Miss> {
    let known = |manifest: &str| manifests(all).any(|(_, known)| known == manifest);
    let (manifest, language) = TO_COME
        .into_iter()
        .find(|(manifest, _)| !known(manifest) && source.root().any(|name| name == *manifest))?;
    let hint = format!(
        "`{manifest}` is there, but this platform has no `{language}` buildpack yet: bring an executable and name it in a \
         `Procfile`, such as `web: ./server --port $PORT`"
    );
    Some(Miss { path: manifest.to_owned(), hint })
}

fn elsewhere(source: &Listing, all: &[Buildpack]) -> Option<Miss> {
    let (path, buildpack) = source.paths.iter().find_map(|path| {
        let (_, name) = path.rsplit_once('/')?;
        let (buildpack, _) = manifests(all).find(|(_, manifest)| *manifest == name)?;
        Some((path, buildpack))
    })?;
    let (directory, name) = path.rsplit_once('/')?;
    let hint = format!(
        "`{name}` ({buildpack}) is in `{directory}/`, and only the root is looked at: move the app to the root, or push \
         that directory alone with `git subtree push --prefix {directory} paas main`"
    );
    Some(Miss { path: path.clone(), hint })
}

/// Returns what to add when nothing comes near.
pub(crate) fn file_to_add(set: &[String], all: &[Buildpack]) -> String {
    if !set.is_empty() {
        return "`paasctl buildpacks:clear` lets the platform choose".into();
    }
    let first = |buildpack: &Buildpack| {
        buildpack.manifests.first().map(|manifest| format!("`{manifest}` for {}", buildpack.name))
    };
    let files: Vec<_> = all.iter().filter_map(first).collect();
    format!("add one of these files to the root: {}", files.join(", "))
}

fn manifests(all: &[Buildpack]) -> impl Iterator<Item = (&str, &str)> {
    all.iter().flat_map(|b| b.manifests.iter().map(move |manifest| (b.name.as_str(), manifest.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin;

    fn hint(paths: &[&str]) -> String {
        let source = Listing { paths: paths.iter().map(|&p| p.to_owned()).collect() };
        nearest(&source, &builtin().unwrap()).map(|miss| miss.hint).unwrap_or_default()
    }

    #[test]
    fn a_misspelt_manifest_is_recognised() {
        for name in ["requirement.txt", "Requirements.txt", "requirments.txt", "requirements.text"] {
            assert!(hint(&["README.md", name]).contains("looks like `requirements.txt`"), "{name}");
        }
        assert!(hint(&["procfile"]).contains("looks like `Procfile`"));
        assert_eq!(hint(&["README.md", "notes.txt"]), "");
    }

    #[test]
    fn a_language_to_come_is_named() {
        assert!(hint(&["package.json", "web/index.html"]).contains("no `nodejs` buildpack yet"));
    }

    #[test]
    fn a_dockerfile_leads_to_the_stack_of_images() {
        assert!(hint(&["Dockerfile", "package.json"]).contains("`paasctl stack:set container`"));
        assert!(!hint(&["README.md", "docker/Dockerfile"]).contains("stack:set"));
    }

    #[test]
    fn a_manifest_in_a_subdirectory_is_found() {
        assert!(hint(&["README.md", "backend/requirements.txt"]).contains("is in `backend/`"));
    }
}
