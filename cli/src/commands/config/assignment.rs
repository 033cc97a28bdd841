//! `KEY=value` as it is written on the command line or in a file, in any bytes. No error here repeats a value; the
//! name of a file is none.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use model::config::{ConfigValue, VALUE_BYTES_MAX};
use model::name::{ConfigKey, NameError};
use model::shell_words;

use crate::error::{Error, Result};
use crate::usage::capitalised;

/// Bytes read at most; more than all values together may have, so that the server's own limits speak.
const READ_MAX: u64 = 32 * VALUE_BYTES_MAX as u64;

const HOW: &str = "Write KEY=value, KEY=@file for the content of a file, KEY=@- for stdin, or KEY=@@text for a value \
                   that begins with @.";

/// A config var and the value it should have.
#[derive(PartialEq, Eq)]
pub(super) struct Assignment {
    /// Its name.
    pub(super) key: ConfigKey,
    /// Its value.
    pub(super) value: ConfigValue,
}

/// Shows no value.
impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=[hidden]", self.key)
    }
}

/// Reads one argument, and the file or stdin it points to.
///
/// # Errors
/// It has no `=`, its name is none or reserved, or what it points to cannot be read.
pub(super) fn of_argument(argument: &OsStr, position: usize) -> Result<Assignment> {
    let (key, wish) = split(argument.as_bytes(), &format!("argument {position}"))?;
    // Before stdin is waited for.
    let key: ConfigKey = key.as_str().parse().map_err(wrong_name)?;
    let value = match wish {
        b"-" | b"@-" => bytes_of(io::stdin().lock())
            .map_err(|error| Error::failed(format!("stdin, for {key}, cannot be read: {}", why(&error))))?,
        [b'@', b'@', literal @ ..] => [b"@", literal].concat(),
        [b'@', path @ ..] => file(&key, Path::new(OsStr::from_bytes(path)))?,
        _ => wish.to_owned(),
    };
    Ok(Assignment { key, value: value.into() })
}

fn file(key: &ConfigKey, path: &Path) -> Result<Vec<u8>> {
    fs::File::open(path).and_then(bytes_of).map_err(|error| {
        let message = format!("the file `{}` for {key} cannot be read: {}", path.display(), why(&error));
        let here = std::env::current_dir().unwrap_or_default();
        let place = if path.is_relative() {
            format!(" It is looked for in {}.", here.display())
        } else {
            String::new()
        };
        Error::failed(message).hint(format!("Name a file that you may read.{place} {HOW}"))
    })
}

/// Reads a file of assignments the way a shell reads them: quotes may hold line ends, `#` begins a comment.
///
/// # Errors
/// The file cannot be read, or is not made of assignments.
pub(super) fn of_file(path: &Path) -> Result<Vec<Assignment>> {
    let name = path.display();
    let bytes = fs::File::open(path)
        .and_then(bytes_of)
        .map_err(|error| Error::failed(format!("`{name}` cannot be read: {}", why(&error))))?;
    let words = shell_words::by_line(&bytes)
        .map_err(|line| Error::failed(format!("{name} ends inside a quote of what begins in line {line}")))?;
    let words = words.into_iter().filter(|(_, word)| word != b"export");
    words
        .map(|(line, word)| {
            let (key, value) =
                split(&word, &format!("a word in line {line} of {name}")).map_err(|error| Error {
                    hint: Some("The file is read as a shell reads it: quote values with spaces.".into()),
                    ..error
                })?;
            Ok(Assignment { key, value: value.to_vec().into() })
        })
        .collect()
}

/// Takes a name that is reserved by now, too: what is set already is no mistake, and the server refuses the rest.
fn split<'a>(text: &'a [u8], place: &str) -> Result<(ConfigKey, &'a [u8])> {
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
        return Err(Error::usage(format!("{place} has no `=`")).hint(HOW));
    };
    let key = ConfigKey::known(&String::from_utf8_lossy(key)).map_err(wrong_name)?;
    Ok((key, value))
}

fn wrong_name(error: NameError) -> Error {
    let hint = ConfigKey::hint(&error).map(|hint| format!("{}.", capitalised(&hint)));
    Error { hint, ..Error::usage(error.to_string()) }
}

fn bytes_of(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(argument: impl AsRef<OsStr>) -> Vec<u8> {
        of_argument(argument.as_ref(), 1).unwrap().value.reveal().to_owned()
    }

    #[test]
    fn a_value_is_taken_as_it_is() {
        assert_eq!(read("A=1"), b"1");
        assert_eq!(read("A=b=c\n\"d\""), b"b=c\n\"d\"");
        assert_eq!(read("A="), b"");
        assert_eq!(read("A=@@home"), b"@home");
        assert_eq!(read(OsStr::from_bytes(b"A=\xff\xfe=")), b"\xff\xfe=");
    }

    #[test]
    fn a_file_gives_its_content_byte_for_byte() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let all: Vec<u8> = (1..=255).chain(*b"\n\n").collect();
        file.write_all(&all).unwrap();
        assert_eq!(read(format!("KEY=@{}", file.path().display())), all);
    }

    #[test]
    fn no_error_and_no_debug_repeats_a_value() {
        for secret in ["s3cret", "1A s3cret", "1A=s3cret", "PORT=s3cret"] {
            let error = of_argument(secret.as_ref(), 2).unwrap_err();
            assert!(!error.text("Error:").contains("s3cret"), "{}", error.text("Error:"));
        }
        assert!(!format!("{:?}", of_argument("A=s3cret".as_ref(), 1).unwrap()).contains("s3cret"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_what_helps() {
        for (path, why) in [("/no/such", "no such file"), ("/", "is a directory"), ("here", "no such file")] {
            let error = of_argument(format!("A=@{path}").as_ref(), 1).unwrap_err().text("Error:");
            assert!(error.contains(&format!("`{path}` for A")) && error.contains(why), "{error}");
            assert!(error.contains("KEY=@@text"), "{error}");
        }
    }

    #[test]
    fn a_file_of_assignments_is_read_as_a_shell_does() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"# comment\nexport A=1\nB='two\nlines' # more\nC=\"x y\" D=$'\\xff' E=\xfe\n")
            .unwrap();
        let all = of_file(file.path()).unwrap();
        let pairs: Vec<_> = all.iter().map(|one| (one.key.as_str(), one.value.reveal())).collect();
        let expected: [(&str, &[u8]); 5] =
            [("A", b"1"), ("B", b"two\nlines"), ("C", b"x y"), ("D", b"\xff"), ("E", b"\xfe")];
        assert_eq!(pairs, expected);
    }
}
