//! How a value is written for a shell: bare or in quotes where it is text, as `$'…'` where it is other bytes.
//!
//! `$'…'` is bash(1), "ANSI-C Quoting", in POSIX since 2024; [`super::words`] reads it back.

use std::fmt::Write as _;

use model::config::ConfigValue;

/// Returns a word that a shell reads as the value.
pub(super) fn word(value: &ConfigValue) -> String {
    let plain =
        value.text().filter(|text| !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    plain.and_then(|text| shlex::try_quote(text).ok()).map_or_else(|| escaped(value.reveal()), Into::into)
}

/// Returns any bytes as `$'…'`, in printable ASCII.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut word = "$'".to_owned();
    for &byte in bytes {
        match byte {
            b'\n' => word.push_str("\\n"),
            b'\t' => word.push_str("\\t"),
            b'\r' => word.push_str("\\r"),
            b'\\' | b'\'' => word.extend(['\\', char::from(byte)]),
            b' '..=b'~' => word.push(char::from(byte)),
            // Always two digits: a shell takes no third.
            _ => write!(word, "\\x{byte:02x}").expect("a String takes everything"),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns what bash makes of the words, each followed by a NUL.
    fn of_bash(words: &[String], locale: &str) -> Vec<u8> {
        let script =
            words.iter().fold(String::new(), |all, word| all + "A=" + word + "\nprintf '%s\\0' \"$A\"\n");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, script.as_bytes()).unwrap();
        let mut bash = std::process::Command::new("bash");
        let ended = bash.arg(file.path()).env_clear().env("LC_ALL", locale).output().unwrap();
        assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
        ended.stdout
    }

    #[test]
    fn text_stays_readable_and_other_bytes_are_escaped() {
        let word = |bytes: &[u8]| word(&bytes.to_vec().into());
        assert_eq!(word(b"plain"), "plain");
        assert_eq!(word(b""), "''");
        assert_eq!(word("two\nlinés".as_bytes()), "'two\nlinés'");
        assert_eq!(word(b"\xffa'\\\n\x01"), r"$'\xffa\'\\\n\x01'");
        assert_eq!(word(b"a\x1b[31m"), r"$'a\x1b[31m'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bash_and_config_set_read_back_any_bytes(
            mut values in proptest::collection::vec(proptest::collection::vec(1_u8.., 0..200), 1..20),
            text in "[^\\x00]{0,60}",
        ) {
            values.extend([text.into_bytes(), (1..=255).collect(), b"'\"`$!\\ ~#\r\n".to_vec()]);
            let words: Vec<_> = values.iter().map(|value| word(&value.clone().into())).collect();
            let told: Vec<u8> = values.iter().flat_map(|value| [value.as_slice(), b"\0"].concat()).collect();
            for locale in ["C", "C.UTF-8"] {
                prop_assert_eq!(&of_bash(&words, locale), &told);
            }
            let read = model::shell_words::by_line(words.join("\n").as_bytes()).unwrap();
            prop_assert_eq!(read.into_iter().map(|(_, word)| word).collect::<Vec<_>>(), values);
        }
    }
}
