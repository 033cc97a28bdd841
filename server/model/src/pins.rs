//! Versions that the first build of an app chose and later builds keep.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The pins of an app by name, such as `python`, `uv` or `buildpack/python`; `python-packages` is a whole resolution.
pub type Pins = BTreeMap<String, Pin>;

/// One pinned version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The exact version; of a resolution one `name==version` a line.
    pub version: String,
    /// What the source asked for when it was pinned; the pin holds while the source asks for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// The file or rule that asked.
    pub origin: String,
}
