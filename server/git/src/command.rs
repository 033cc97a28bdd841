//! How a `git` process is started: from an empty environment, so that no setting of the machine or of the user who
//! started the server changes what a push means.

use std::path::Path;

use tokio::process::Command;

/// Variables of every `git`: no settings but those of the repository, no questions, and words in English.
pub(crate) const SETTLED: [(&str, &str); 6] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C.UTF-8"),
    ("TZ", "UTC"),
];

/// Returns `git` with nothing inherited but the search path; `home` is a directory without settings.
pub(crate) fn git(home: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .envs(SETTLED);
    command
}

/// Returns the `Git-Protocol` header's value if it is one that git would send.
pub(crate) fn protocol(header: Option<&str>) -> Option<&str> {
    header.filter(|value| {
        value.len() <= 200
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:.-_".contains(&byte))
    })
}
