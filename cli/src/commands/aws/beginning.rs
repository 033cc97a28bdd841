//! What a new machine of the control plane begins with: nothing, or what a backup has.

use aws::control::Bucket;
use aws::failure::Failure;
use jiff::Timestamp;
use model::upkeep::{COUNTS_FOR, Order};

use super::backups::meant;
use super::failed;
use crate::error::{Error, Result};

/// Returns the backup that it begins with. Where there are any, it is not left to chance whether it does.
///
/// # Errors
/// The one that is asked for is not there, or there are some and nothing was said.
pub(super) async fn choose(bucket: Bucket<'_>, asked: Option<&str>, empty: bool) -> Result<Option<String>> {
    let backups = bucket.backups().await.map_err(|failure| failed(&failure))?;
    match (asked, backups.last()) {
        (Some(asked), _) => meant(&backups, asked).map(Some),
        (None, Some(newest)) if !empty => {
            let told = format!("there are backups of this platform, the newest {}", newest.name);
            Err(Error::usage(told).hint("--restore newest begins with it, --empty with nothing."))
        }
        (None, _) => Ok(None),
    }
}

/// Has the machine that is about to be made begin with it, and with the `paasd` that the one before it had.
///
/// # Errors
/// AWS does not answer for long.
pub(super) async fn settle(bucket: Bucket<'_>, restore: Option<String>) -> std::result::Result<(), Failure> {
    if restore.is_none() && bucket.order().await?.is_none() {
        return Ok(());
    }
    let now = Timestamp::now();
    let (id, until) = (now.as_millisecond().to_string(), now + COUNTS_FOR);
    // One that was asked for and could not be run must not keep this one from starting.
    let program = bucket.last_program().await?;
    bucket.place(&Order { id, program, restore, back_up: true, until }).await
}
