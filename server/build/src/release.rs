//! Reads what `bin/release` prints: YAML in many shapes, of which the process types matter here.

use std::collections::BTreeMap;

use serde_norway::Value;

/// What a buildpack offers to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Release {
    /// The command of each process type.
    pub(crate) types: BTreeMap<String, String>,
    /// Why a type is there, where the buildpack says it.
    pub(crate) because: BTreeMap<String, String>,
    /// Why a type that one would expect is not there.
    pub(crate) missing: BTreeMap<String, String>,
    /// A sentence if the output could not be read.
    pub(crate) warning: Option<String>,
}

impl Release {
    /// Reads the output of `bin/release`. Nothing, an empty document and `{}` all offer nothing.
    pub(crate) fn parse(yaml: &str) -> Self {
        if yaml.trim().is_empty() {
            return Self::default();
        }
        match serde_norway::from_str::<Value>(yaml) {
            Ok(value) => Self {
                types: map(&value, "default_process_types"),
                because: map(&value, "because"),
                missing: map(&value, "missing"),
                warning: None,
            },
            Err(error) => Self {
                warning: Some(format!("the output of bin/release is not YAML and was left out: {error}")),
                ..Self::default()
            },
        }
    }
}

fn map(value: &Value, key: &str) -> BTreeMap<String, String> {
    let entries = value.get(key).and_then(Value::as_mapping).into_iter().flatten();
    let text = |value: &Value| Some(value.as_str()?.replace(['\n', '\0'], " ").trim().to_owned());
    let text = |value: &Value| text(value).filter(|text| !text.is_empty());
    entries.filter_map(|(name, command)| Some((name.as_str()?.to_owned(), text(command)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_in_use_are_read() {
        for nothing in ["", "---\n", "--- {}", "addons: []\ndefault_process_types: {}\n"] {
            assert_eq!(Release::parse(nothing), Release::default(), "{nothing:?}");
        }
        let release = Release::parse(
            "---\naddons: none\ndefault_process_types:\n  web: \"a \\\"b\\\" $PORT\"\n  n: 1\n",
        );
        assert_eq!(release.types.into_iter().collect::<Vec<_>>(), [("web".into(), "a \"b\" $PORT".into())]);
        assert!(Release::parse("a: [").warning.is_some());
        for blank in ["''", "' '", "\"\\0 \\n\""] {
            let release = Release::parse(&format!("default_process_types: {{web: {blank}}}"));
            assert_eq!(release, Release::default(), "{blank} is nothing that runs");
        }
    }

    #[test]
    fn what_the_built_in_buildpacks_print_is_read_back_as_they_found_it() {
        let dir = tempfile::tempdir().unwrap();
        let (command, why) = (r#"serve "a b" 'c\d' & \"$PORT\""#, "`x\\y` found");
        for (name, between) in [("python", "\t"), ("static", "\n")] {
            let buildpacks = detection::builtin().unwrap();
            let buildpack = buildpacks.iter().find(|buildpack| buildpack.name == name).unwrap();
            let unpacked = dir.path().join(name);
            buildpack.unpack(&unpacked).unwrap();
            std::fs::write(unpacked.join("web"), format!("{command}{between}{why}\n")).unwrap();
            let mut script = std::process::Command::new(unpacked.join("bin/release"));
            let printed = script.current_dir(&unpacked).output().unwrap();
            let release = Release::parse(&String::from_utf8(printed.stdout).unwrap());
            assert_eq!(release.warning, None, "{name}");
            assert_eq!((release.types["web"].as_str(), release.because["web"].as_str()), (command, why));
        }
    }
}
