//! Nothing is made or removed in an account of AWS's before somebody has agreed.

use crate::error::{Error, Result};
use crate::question;

/// Returns once somebody agrees, or at once where `--yes` has said so.
///
/// # Errors
/// The answer is no, and `declined` tells what that means; or nobody is there to be asked, and the hint says what `--yes` is for.
pub(super) fn consent(yes: bool, question: &str, declined: &str, for_what: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    match question::agreed(question)? {
        Some(true) => Ok(()),
        Some(false) => Err(Error::failed(declined)),
        None => Err(Error::usage("nobody is there to be asked").hint(format!("Say --yes to {for_what}."))),
    }
}
