//! `KEY=value` as it is written on the command line or in a file. No error here repeats what may be a secret.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use model::config::VALUE_BYTES_MAX;
use model::name::ConfigKey;

use crate::error::{Error, Result};

/// Bytes read at most; more than a value may have, so that the server's own limit speaks.
const READ_MAX: u64 = 4 * VALUE_BYTES_MAX as u64;

const HOW: &str = "Write KEY=value, KEY=@file for the content of a file, KEY=- for stdin, or KEY=@@text for a value \
                   that begins with @.";

/// A config var and the value it should have.
#[derive(PartialEq, Eq)]
pub(super) struct Assignment {
    /// Its name.
    pub(super) key: ConfigKey,
    /// Its value.
    pub(super) value: String,
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
/// It has no `=`, its name is none, or what it points to cannot be read as text.
pub(super) fn of_argument(text: &str, position: usize) -> Result<Assignment> {
    let (key, wish) = split(text, &format!("argument {position}"))?;
    let value = if wish == "-" {
        text_of(io::stdin().lock(), &format!("stdin, for {key},"))?
    } else if let Some(literal) = wish.strip_prefix("@@") {
        format!("@{literal}")
    } else if let Some(path) = wish.strip_prefix('@') {
        // The path is not repeated: it may be a password that begins with @.
        let file = fs::File::open(path).map_err(|error| {
            Error::failed(format!("the file for {key} cannot be read: {}", error.kind())).hint(HOW)
        })?;
        text_of(file, &format!("the file for {key}"))?
    } else {
        wish.to_owned()
    };
    Ok(Assignment { key, value })
}

/// Reads a file of assignments the way a shell reads them: quotes may hold line ends, `#` begins a comment.
///
/// # Errors
/// The file cannot be read, or is not made of assignments.
pub(super) fn of_file(path: &Path) -> Result<Vec<Assignment>> {
    let name = path.display();
    let file = fs::File::open(path)
        .map_err(|error| Error::failed(format!("cannot read {name}: {}", error.kind())))?;
    let text = text_of(file, &name.to_string())?;
    let words = shlex::split(&text).ok_or_else(|| Error::failed(format!("{name} ends inside a quote")))?;
    let words = words.into_iter().filter(|word| word != "export").enumerate();
    words
        .map(|(index, word)| {
            let (key, value) =
                split(&word, &format!("word {} of {name}", index + 1)).map_err(|error| Error {
                    hint: Some("The file is read as a shell reads it: quote values with spaces.".into()),
                    ..error
                })?;
            Ok(Assignment { key, value: value.to_owned() })
        })
        .collect()
}

fn split<'a>(text: &'a str, place: &str) -> Result<(ConfigKey, &'a str)> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| Error::usage(format!("{place} has no `=`")).hint(HOW))?;
    let key = key.parse().map_err(|error: model::name::NameError| Error::usage(error.to_string()))?;
    Ok((key, value))
}

fn text_of(source: impl Read, what: &str) -> Result<String> {
    let mut bytes = Vec::new();
    source.take(READ_MAX).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Error::failed(format!("{what} is not UTF-8 text")))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_value_is_taken_as_it_is() {
        let read = |text: &str| of_argument(text, 1).unwrap().value;
        assert_eq!(read("A=1"), "1");
        assert_eq!(read("A=b=c\n\"d\""), "b=c\n\"d\"");
        assert_eq!(read("A="), "");
        assert_eq!(read("A=@@home"), "@home");
    }

    #[test]
    fn a_file_gives_its_content_byte_for_byte() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all("-----BEGIN\nü\n".as_bytes()).unwrap();
        let read = of_argument(&format!("PEM=@{}", file.path().display()), 1).unwrap();
        assert_eq!(read.value, "-----BEGIN\nü\n");
    }

    #[test]
    fn no_error_and_no_debug_repeats_a_value() {
        for secret in ["s3cret", "A=@/no/such/s3cret", "1A s3cret"] {
            let error = of_argument(secret, 2).unwrap_err();
            assert!(!error.text("Error:").contains("s3cret"), "{}", error.text("Error:"));
        }
        assert!(!format!("{:?}", of_argument("A=s3cret", 1).unwrap()).contains("s3cret"));
    }

    #[test]
    fn a_file_of_assignments_is_read_as_a_shell_does() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"# comment\nexport A=1\nB='two\nlines' # more\nC=\"x y\"\n").unwrap();
        let all = of_file(file.path()).unwrap();
        let pairs: Vec<_> = all.iter().map(|one| (one.key.as_str(), one.value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("B", "two\nlines"), ("C", "x y")]);
    }
}
