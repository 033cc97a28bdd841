//! What a collection removed, in words.

use std::fmt;

use model::wording;

/// Counts what was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freed {
    /// Images of slugs.
    pub(crate) images: u64,
    /// Bytes of those.
    pub(crate) bytes: u64,
    /// Builds whose output went.
    pub(crate) outputs: u64,
    /// Builds that were forgotten, or all that their release does not need of them.
    pub(crate) builds: u64,
    /// Operations whose steps went.
    pub(crate) operations: u64,
}

impl fmt::Display for Freed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: u64, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let slugs = counted(self.images, "slug", "slugs");
        let parts = [
            slugs.map(|slugs| format!("{slugs} of {}", wording::bytes(self.bytes))),
            counted(self.outputs, "build's output", "builds' output"),
            counted(self.builds, "old build", "old builds"),
            counted(self.operations, "operation's steps", "operations' steps"),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_is_one_line_of_what_there_was() {
        let freed = Freed { images: 2, bytes: 12_000_000, operations: 1, ..Freed::default() };
        assert_eq!(freed.to_string(), "2 slugs of 12.0 MB, 1 operation's steps");
    }
}
