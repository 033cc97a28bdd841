//! What goes into an image. Equal recipes have equal fingerprints, and one image.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::slug::Digest;
use model::upkeep::PROGRAMS;
use sha2::{Digest as _, Sha256};

use super::program::digest;
use super::script::written;

/// How hosts run replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// In sandboxes.
    #[default]
    Sandbox,
    /// In containers of a Docker Engine that is in the image, with the stack.
    Docker,
}

/// What goes into an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The image that it is made on top of.
    pub base: String,
    /// How hosts run replicas.
    pub engine: Engine,
    /// The digest of `paasd`.
    pub paasd: Digest,
    /// The digest of `uv`, if that goes in too.
    pub uv: Option<Digest>,
    /// Slugs that hosts have from their start.
    pub warm: BTreeSet<Digest>,
    /// The day on which it is made anew though all else is as it was, such as `2026-11-21`.
    pub renewed: Option<String>,
}

/// Something that a builder fetches from the bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Its key in the bucket.
    pub key: String,
    /// Its SHA-256.
    pub digest: Digest,
    /// Where it goes on the machine.
    pub path: String,
    /// Its permissions there, as chmod takes them.
    pub mode: &'static str,
}

/// Where an agent keeps copies of slugs, if its directory is that of a fleet's hosts, `/var/lib/paas`.
const COPIES: &str = "/var/lib/paas/agent/images";

impl Recipe {
    /// Returns what a builder fetches, `paasd` first.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let program = |digest: &Digest, name: &str| Item {
            key: key(digest),
            digest: digest.clone(),
            path: format!("/opt/paas/bin/{name}"),
            mode: "0755",
        };
        let slug = |digest: &Digest| Item {
            key: format!("slugs/{digest}.squashfs"),
            digest: digest.clone(),
            path: format!("{COPIES}/{digest}.squashfs"),
            mode: "0644",
        };
        let uv = self.uv.as_ref().map(|digest| program(digest, "uv"));
        let programs = [program(&self.paasd, "paasd")].into_iter().chain(uv);
        programs.chain(self.warm.iter().map(slug)).collect()
    }

    /// Returns what tells its image from others: the SHA-256 of all that goes in, and of the script that puts it there.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let script = written(self, "", &BTreeMap::new());
        let parts = [&self.base, self.renewed.as_deref().unwrap_or_default(), &script];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        digest(hash)
    }
}

/// Returns the key in the bucket of a program that is uploaded.
pub(super) fn key(digest: &Digest) -> String {
    format!("{PROGRAMS}/{digest}")
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Docker => "docker",
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn recipe() -> Recipe {
        Recipe {
            base: "ami-1".into(),
            engine: Engine::Sandbox,
            paasd: "a".repeat(64).parse().unwrap(),
            uv: None,
            warm: BTreeSet::new(),
            renewed: None,
        }
    }

    #[test]
    fn whatever_differs_makes_another_image_and_nothing_else_does() {
        let other = || "b".repeat(64).parse().unwrap();
        let recipes = [
            recipe(),
            Recipe { base: "ami-2".into(), ..recipe() },
            Recipe { engine: Engine::Docker, ..recipe() },
            Recipe { paasd: other(), ..recipe() },
            Recipe { uv: Some(other()), ..recipe() },
            Recipe { warm: BTreeSet::from([other()]), ..recipe() },
            Recipe { renewed: Some("2026-11-21".into()), ..recipe() },
        ];
        let different: BTreeSet<Digest> = recipes.iter().map(Recipe::fingerprint).collect();
        assert_eq!(different.len(), recipes.len());
        assert_eq!(recipe().fingerprint(), recipe().fingerprint());
    }

    #[test]
    fn slugs_go_where_an_agent_looks_for_copies() {
        let slug: Digest = "c".repeat(64).parse().unwrap();
        let recipe = Recipe { warm: BTreeSet::from([slug.clone()]), ..recipe() };
        let items = recipe.items();
        let paths: Vec<_> = items.iter().map(|item| item.path.as_str()).collect();
        assert_eq!(paths, ["/opt/paas/bin/paasd", &format!("/var/lib/paas/agent/images/{slug}.squashfs")]);
        assert_eq!(items[1].key, format!("slugs/{slug}.squashfs"));
    }
}
