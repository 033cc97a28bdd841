//! Small argument types of several commands, each read once where it enters.

use std::str::FromStr;

use model::formation::Quantity;
use model::name::ProcessType;
use model::size::Size;

/// A wish for one process type: `web=4`, `web+1`, `web-1` or `web=2:Standard-2X`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScaleWish {
    /// The process type.
    pub(crate) process: ProcessType,
    /// The quantity as it was written, `4` or `+1`: the server applies a relative one at once, so that two do not
    /// overwrite each other.
    pub(crate) quantity: String,
    /// The size, if it should change.
    pub(crate) size: Option<Size>,
}

impl FromStr for ScaleWish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (process, wish) = match text.split_once('=') {
            Some(parts) => parts,
            None => {
                let at = text.rfind(['+', '-']).ok_or_else(|| {
                    format!(
                        "`{}` is no wish for a process type; write web=4, web+1 or web-1",
                        text.escape_debug()
                    )
                })?;
                text.split_at(at)
            }
        };
        let (quantity, size) = match wish.split_once(':') {
            Some((quantity, size)) => (quantity, Some(size.parse()?)),
            None => (wish, None),
        };
        quantity.parse::<Quantity>().map_err(|error| error.to_string())?;
        let process: ProcessType =
            process.parse().map_err(|error: model::name::NameError| error.to_string())?;
        if !process.is_scalable() {
            return Err(format!(
                "`{process}` is started by the platform when it is needed and cannot be scaled"
            ));
        }
        Ok(Self { process, quantity: quantity.to_owned(), size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(text: &str) -> (String, String, Option<Size>) {
        let wish: ScaleWish = text.parse().unwrap();
        (wish.process.to_string(), wish.quantity, wish.size)
    }

    #[test]
    fn wishes_are_exact_or_relative_and_may_name_a_size() {
        assert_eq!(wish("web=4"), ("web".into(), "4".into(), None));
        assert_eq!(wish("worker+1"), ("worker".into(), "+1".into(), None));
        assert_eq!(wish("my-worker-2"), ("my-worker".into(), "-2".into(), None));
        assert_eq!(wish("web=+1"), ("web".into(), "+1".into(), None));
        assert_eq!(wish("web=2:standard-2x"), ("web".into(), "2".into(), Some(Size::Standard2X)));
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for bad in ["web", "web=", "web=many", "=3", "web=2:Huge", "web=101", "release=1"] {
            assert!(bad.parse::<ScaleWish>().is_err(), "{bad}");
        }
    }
}
