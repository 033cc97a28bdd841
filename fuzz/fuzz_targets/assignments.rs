//! A file of `KEY=value` of any bytes, as `paasctl config:edit` and `--file` read it: words that are written for a shell
//! again are read as the same words.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../cli/src/commands/config/quoting.rs"]
mod quoting;
#[path = "../../cli/src/commands/config/words.rs"]
mod words;

fuzz_target!(|bytes: &[u8]| {
    let Some(read) = words::split(bytes) else { return };
    assert!(read.len() <= bytes.len());
    let written = |word: &Vec<u8>| match word.contains(&0) {
        true => quoting::escaped(word),
        false => quoting::word(&word.clone().into()),
    };
    let again = read.iter().map(written).collect::<Vec<_>>().join("\n");
    assert_eq!(words::split(again.as_bytes()), Some(read));
});
