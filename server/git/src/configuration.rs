//! The settings of an app's repository: what git checks in a push, what it shows, and what it leaves to the server.

use crate::repository::PRIVATE_REFS;

/// Settings of git-config(1) that every repository has, beside the path of its hooks.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    // Memory per object stays bounded: larger ones are streamed.
    ("core.bigFileThreshold", "32m"),
    ("core.fsync", "all"),
    ("core.logAllRefUpdates", "false"),
    // Maintenance is the server's, between pushes.
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("receive.autogc", "false"),
    ("http.receivepack", "true"),
    ("http.uploadpack", "true"),
    ("pack.threads", "1"),
    ("pack.windowMemory", "128m"),
    ("protocol.file.allow", "never"),
    ("receive.advertisePushOptions", "true"),
    ("receive.denyDeletes", "false"),
    ("receive.denyNonFastForwards", "false"),
    ("receive.fsckObjects", "true"),
    // Harmless, and found in the history of many public projects.
    ("receive.fsck.badTimezone", "ignore"),
    ("receive.fsck.missingSpaceBeforeDate", "ignore"),
    ("receive.fsck.zeroPaddedFilemode", "ignore"),
    ("receive.shallowUpdate", "true"),
    // Packs stay packs: a handful of files to make durable, however many a commit has.
    ("receive.unpackLimit", "1"),
    ("transfer.hideRefs", PRIVATE_REFS),
];

/// Writes the settings; repeating it changes nothing.
pub(crate) fn apply(repository: &git2::Repository) -> Result<(), git2::Error> {
    let mut config = repository.config()?.open_level(git2::ConfigLevel::Local)?;
    for (key, value) in SETTINGS {
        if config.get_string(key).ok().as_deref() != Some(*value) {
            config.set_str(key, value)?;
        }
    }
    Ok(())
}
