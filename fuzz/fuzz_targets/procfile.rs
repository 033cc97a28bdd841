//! A Procfile of any bytes: what is read can be written down and read again, and what is refused is told in words that
//! are safe to show, with a line that would be taken.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::procfile::{Procfile, ProcfileError};

fuzz_target!(|bytes: &[u8]| {
    match Procfile::parse(bytes) {
        Ok(procfile) => {
            let mut written = String::new();
            for (process, command) in &procfile.types {
                assert!(!command.contains(['\n', '\0']) && command.trim() == command && !command.is_empty());
                written += &format!("{process}: {command}\n");
            }
            let again = Procfile::parse(written.as_bytes());
            assert_eq!(again.map(|again| again.types), Ok(procfile.types));
            procfile.warnings.iter().for_each(|warning| check_words(warning));
        }
        Err(error) => {
            if let ProcfileError::Malformed(_, meant) = &error {
                let mended = Procfile::parse(meant.as_bytes());
                assert!(mended.is_ok_and(|mended| mended.types.len() == 1), "{meant:?}");
            }
            check_words(&format!("{error} {}", error.hint()));
        }
    }
});

fn check_words(words: &str) {
    assert!(!words.contains(|c: char| c.is_control() && c != '\t'), "{words:?}");
    assert!(words.len() < 2_000);
}
