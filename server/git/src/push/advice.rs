//! What to do about a push that git's checks refuse (git-fsck(1), "FSCK MESSAGES"). git names the object and the check;
//! people want to know what is wrong and what helps.

use crate::terminal::clean_line;

/// Lines of git's that are shown.
const MOST_LINES: usize = 10;

/// Beginnings of a check's name, what it means, and what helps.
const CHECKS: &[(&str, &str)] = &[
    (
        "gitmodulesUrl",
        "A .gitmodules in the history has an address that git could mistake for an option or a command. Correct it and \
         rewrite the commits that hold it: git filter-repo --path .gitmodules --invert-paths, then add a clean one.",
    ),
    (
        "gitmodules",
        "A .gitmodules in the history is one that git refuses: it is malformed, too large, or leads out of the work tree. \
         Rewrite the commits that hold it: git filter-repo --path .gitmodules --invert-paths.",
    ),
    (
        "hasDot",
        "A directory in the history holds `.git`, `.` or `..` as a name, also in another spelling. Rewrite the commits \
         that hold it: git filter-repo --invert-paths --path PATH.",
    ),
    (
        "symlinkPointsToGitDir",
        "A symbolic link in the history leads into `.git`. Remove it and rewrite the commits that hold it.",
    ),
    (
        "",
        "The history holds an object that git calls broken. `git fsck` shows it where it comes from; \
         `git filter-repo` writes the history anew without it.",
    ),
];

/// Returns git's words with what helps, as lines to show.
pub(super) fn explain(words: &str) -> Vec<String> {
    let mut lines: Vec<_> =
        words.lines().take(MOST_LINES).map(|line| clean_line(line.as_bytes(), 300)).collect();
    // `error: object ID: CHECK: what is wrong`
    let check = words.lines().find_map(|line| {
        let mut parts = line.split(": ").skip_while(|part| !part.starts_with("object "));
        parts.nth(1)
    });
    if let Some(check) = check {
        lines.extend(
            CHECKS.iter().find(|(name, _)| check.starts_with(name)).map(|(_, help)| (*help).to_owned()),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_found_comes_with_what_helps() {
        let told =
            explain("error: object 5e9d: gitmodulesUrl: disallowed submodule url: -x\nfatal: fsck error");
        assert_eq!(told.len(), 3);
        assert!(told[0].contains("disallowed submodule url") && told[2].contains("filter-repo"), "{told:?}");
        let told = explain("error: object 5e9d: hasDotgit: contains '.git'\u{1b}[1m");
        assert!(!told[0].contains('\u{1b}') && told[1].contains("`.git`"), "{told:?}");
        let told = explain("error: object 5e9d: missingAuthor: no author");
        assert!(told[1].contains("git fsck"), "{told:?}");
        assert_eq!(explain("fatal: early EOF"), ["fatal: early EOF"], "nothing that rewriting would mend");
    }
}
