//! A file of `KEY=value` of any bytes, as `paasctl config:edit` and `--file` read it: words that are written for a shell
//! again are read as the same words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::shell_words;

#[path = "../../cli/src/commands/config/quoting.rs"]
mod quoting;

fuzz_target!(|bytes: &[u8]| {
    let Some(read) = words(bytes) else { return };
    assert!(read.len() <= bytes.len());
    let written = |word: &Vec<u8>| match word.contains(&0) {
        true => quoting::escaped(word),
        false => quoting::word(&word.clone().into()),
    };
    let again = read.iter().map(written).collect::<Vec<_>>().join("\n");
    assert_eq!(words(again.as_bytes()), Some(read));
});

fn words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    Some(shell_words::by_line(text).ok()?.into_iter().map(|(_, word)| word).collect())
}
