//! How the environment of a program reaches its container: through standard input, as `NAME=value` with a NUL behind each.
//!
//! Docker writes the variables that a container is made with to its own disk in clear, and they are text there. So a
//! container is made without any; a shell in it reads them, gives itself an empty input, and becomes the program. It does so
//! only when it is told the end: before that nothing of the program has run, whoever dies in between.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use sandbox::Environment;

/// Reads the variables and becomes the program. `unset` first: `RANDOM` and its like lose their special meaning by it.
pub(crate) const PRELUDE: &str = r#"unset SHLVL HOSTNAME
_paas_end=
while IFS= read -r -d '' _paas; do
    if [ -z "$_paas" ]; then _paas_end=1; break; fi
    unset "${_paas%%=*}"
    export "$_paas"
done 2>/dev/null
[ -n "$_paas_end" ] || exit 125
unset _paas _paas_end
exec "$@" </dev/null"#;

/// Tells the shell that it has all variables.
pub(crate) const END: &[u8] = b"\0";

/// The same for an image of which no more is known than that it has a shell: what that reads is a script then. A shell that is
/// not told the end says so with its status, as the other does.
const SCRIPT: &[u8] = b"trap 'exit 125' EXIT\n";

/// Tells such a shell that it has all variables.
pub(crate) const SCRIPT_END: &[u8] = b"exec \"$@\" </dev/null\n";

/// Bash keeps these names for itself.
const KEPT: [&str; 6] = ["UID", "EUID", "PPID", "BASHOPTS", "SHELLOPTS", "BASH_VERSINFO"];

/// Returns what the shell reads before [`END`].
pub(crate) fn of(environment: &Environment) -> Vec<u8> {
    // What changes the shell itself comes last: values are bytes in whatever locale.
    let (last, first): (Vec<_>, Vec<_>) =
        environment.iter().filter(|(name, _)| !KEPT.contains(name)).partition(|(name, _)| is_locale(name));
    let record = |(name, value): (&str, &OsStr)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat();
    first.into_iter().chain(last).flat_map(record).collect()
}

/// Returns the script that the shell of an image reads before [`SCRIPT_END`].
pub(crate) fn script_of(environment: &Environment) -> Vec<u8> {
    let mut script = SCRIPT.to_vec();
    for record in of(environment).split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        let equals = record.iter().position(|byte| *byte == b'=').unwrap_or(record.len());
        let (name, value) = record.split_at(equals);
        // Not every shell takes any text for this one.
        if name == b"OPTIND" {
            continue;
        }
        script.extend([b"unset ", name, b"\nexport ", name, b"='"].concat());
        for byte in value.iter().skip(1) {
            match byte {
                b'\'' => script.extend(br"'\''"),
                byte => script.push(*byte),
            }
        }
        script.extend(b"'\n");
    }
    script
}

fn is_locale(name: &str) -> bool {
    name.starts_with("LC_") || ["LANG", "POSIXLY_CORRECT", "IFS"].contains(&name)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn odd_environment() -> Environment {
        let mut environment = Environment::base();
        let odd: &[u8] = b"a b\n\"$(x)' \xff\xc3=\\n\\ end ";
        for (name, value) in [("ODD", odd), ("RANDOM", b"7"), ("IFS", b"x"), ("EMPTY", b""), ("LC_ALL", b"C")]
        {
            environment.set(name, OsStr::from_bytes(value)).unwrap();
        }
        environment
    }

    #[test]
    fn a_shell_gets_every_byte_of_every_value() {
        let environment = odd_environment();
        let mut shell = Command::new("/bin/bash")
            .args(["--norc", "--noprofile", "-c", PRELUDE, "bash", "env", "-0"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = [&of(&environment), END].concat();
        shell.stdin.take().unwrap().write_all(&input).unwrap();
        let output = shell.wait_with_output().unwrap().stdout;
        let got: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
        for record in of(&environment).split(|byte| *byte == 0) {
            assert!(got.contains(&record), "{:?}", String::from_utf8_lossy(record));
        }
        assert!(!got.iter().any(|record| record.starts_with(b"_paas")));
    }

    #[test]
    fn nothing_runs_of_what_was_not_told_to_the_end() {
        let mut shell = Command::new("/bin/bash")
            .args(["--norc", "--noprofile", "-c", PRELUDE, "bash", "echo", "ran"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(&of(&Environment::base())).unwrap();
        let output = shell.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(125), Vec::new()));
    }

    /// Runs a script as an image's shell does, which is seldom bash.
    fn shell_of_an_image(script: &[u8], words: &[&str]) -> std::process::Output {
        let mut shell = Command::new("/bin/sh")
            .args(["-s", "--"])
            .args(words)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(script).unwrap();
        shell.wait_with_output().unwrap()
    }

    #[test]
    fn the_shell_of_an_image_gets_every_byte_and_the_program_none_of_its_input() {
        let environment = odd_environment();
        let script = [&script_of(&environment), SCRIPT_END, b"echo this is not for the program\n"].concat();
        let output = shell_of_an_image(&script, &["env", "-0"]).stdout;
        let got: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
        for record in of(&environment).split(|byte| *byte == 0) {
            assert!(got.contains(&record), "{:?}", String::from_utf8_lossy(record));
        }
        assert!(shell_of_an_image(&script, &["cat"]).stdout.is_empty());
    }

    #[test]
    fn the_shell_of_an_image_runs_nothing_of_what_was_not_told_to_the_end() {
        let output = shell_of_an_image(&script_of(&odd_environment()), &["echo", "ran"]);
        assert_eq!((output.status.code(), output.stdout), (Some(125), Vec::new()));
    }
}
