//! Where blobs are: a directory, or a bucket of S3 or of what speaks its protocol.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use object_store::{ObjectStore, local::LocalFileSystem};

use crate::{SlugError, store::bucket};

/// Where blobs are.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub enum BlobPlace {
    /// A directory of this host, or of a file system that all servers share.
    Directory(PathBuf),
    /// A bucket. Credentials, region and endpoint come from the variables that AWS's own tools read.
    S3 {
        /// Its name.
        bucket: String,
        /// What the names of all blobs begin with; may be empty.
        prefix: String,
    },
}

/// The text names no place for blobs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a directory nor s3://BUCKET/PREFIX")]
pub struct BlobPlaceError(String);

impl BlobPlace {
    /// Returns a folder in it.
    #[must_use]
    pub fn within(&self, folder: &str) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(path.join(folder)),
            Self::S3 { bucket, prefix } if prefix.is_empty() => {
                Self::S3 { bucket: bucket.clone(), prefix: folder.to_owned() }
            }
            Self::S3 { bucket, prefix } => {
                Self::S3 { bucket: bucket.clone(), prefix: format!("{prefix}/{folder}") }
            }
        }
    }

    /// Opens it; `variables` are those of the environment, which say how a bucket is reached.
    ///
    /// # Errors
    /// The directory is not there, or the variables do not say enough.
    pub fn open(
        &self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Arc<dyn ObjectStore>, SlugError> {
        match self {
            Self::Directory(root) => {
                let store = LocalFileSystem::new_with_prefix(root).map_err(SlugError::StoreUnreadable)?;
                // Without it a write is acknowledged before it is on disk.
                Ok(Arc::new(store.with_fsync(true)))
            }
            Self::S3 { bucket, prefix } => {
                bucket::open(bucket, prefix, variables.into_iter()).map_err(SlugError::StoreUnreadable)
            }
        }
    }

    /// Returns the place with a relative directory taken from `base`.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(base.join(path)),
            place => place,
        }
    }
}

impl FromStr for BlobPlace {
    type Err = BlobPlaceError;

    fn from_str(text: &str) -> Result<Self, BlobPlaceError> {
        let refused = || BlobPlaceError(text.to_owned());
        let Some((scheme, rest)) = text.split_once("://") else {
            return if text.is_empty() { Err(refused()) } else { Ok(Self::Directory(text.into())) };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let named = !bucket.is_empty() && bucket.bytes().all(plain);
        let clean = prefix.is_empty()
            || prefix
                .split('/')
                .all(|piece| !piece.is_empty() && !piece.starts_with('.') && piece.bytes().all(plain));
        if scheme != "s3" || !named || !clean {
            return Err(refused());
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl TryFrom<String> for BlobPlace {
    type Error = BlobPlaceError;

    fn try_from(text: String) -> Result<Self, BlobPlaceError> {
        text.parse()
    }
}

impl fmt::Display for BlobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_or_a_bucket_with_a_prefix() {
        let s3 = |bucket: &str, prefix: &str| BlobPlace::S3 { bucket: bucket.into(), prefix: prefix.into() };
        for (text, place) in [
            ("s3://blobs", s3("blobs", "")),
            ("s3://blobs/", s3("blobs", "")),
            ("s3://my.blobs-1/a/b/", s3("my.blobs-1", "a/b")),
            ("/srv/blobs", BlobPlace::Directory("/srv/blobs".into())),
            ("blobs", BlobPlace::Directory("blobs".into())),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        for text in [
            "",
            "s3://",
            "s3:///x",
            "gs://x",
            "http://x/y",
            "s3://a b",
            "s3://a/../b",
            "s3://a//b",
            "s3://k:s@b",
        ] {
            assert!(text.parse::<BlobPlace>().is_err(), "{text}");
        }
        assert_eq!("s3://b/p/".parse::<BlobPlace>().unwrap().to_string(), "s3://b/p");
        assert_eq!(s3("b", "").within("x"), s3("b", "x"));
        assert_eq!(s3("b", "p").within("x"), s3("b", "p/x"));
    }
}
