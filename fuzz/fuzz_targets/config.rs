//! A config var of any name and value: it comes back as it was from the database's form, the API's and a shell's, and
//! no refusal repeats a value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::config::{ConfigValue, ConfigVars};
use model::name::ConfigKey;
use model::shell_words;
use serde_json::Value;

#[path = "../../cli/src/commands/config/quoting.rs"]
mod quoting;

/// Stands between the name, the value and what was stored.
const BETWEEN: u8 = 0x1e;

fuzz_target!(|given: &[u8]| {
    let mut parts = given.splitn(3, |byte| *byte == BETWEEN);
    let mut part = || parts.next().unwrap_or_default();
    let (name, bytes, json) = (part(), part(), part());
    let (name, bytes) = (&*String::from_utf8_lossy(name), bytes.to_vec());
    check_value(&bytes);
    if let Ok(key) = name.parse::<ConfigKey>() {
        assert_eq!(ConfigKey::known(name).as_ref(), Ok(&key), "what may be set may be removed");
        check_vars(key, bytes);
    } else if let Err(error) = ConfigKey::known(name) {
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    // What was stored is read or refused, and what was read is stored alike.
    if let Ok(vars) = serde_json::from_slice::<ConfigVars>(json) {
        let stored = serde_json::to_vec(&vars).expect("config vars are JSON");
        assert_eq!(serde_json::from_slice::<ConfigVars>(&stored).expect("it was stored"), vars);
    }
});

fn check_value(bytes: &[u8]) {
    let value = ConfigValue::from(bytes.to_vec());
    let json = serde_json::to_vec(&value).expect("a value is JSON");
    assert_eq!(serde_json::from_slice::<ConfigValue>(&json).expect("it was written"), value);
    assert_eq!(format!("{value:?}"), "[hidden]");
    // An environment carries no NUL, so that no such value is ever shown.
    if !bytes.contains(&0) {
        let words = [quoting::word(&value), quoting::escaped(bytes)];
        assert!(words[1].is_ascii() && !words[1].contains(|c: char| c.is_ascii_control()));
        let read = shell_words::by_line(words.join(" \t\n").as_bytes()).expect("they are whole words");
        let read: Vec<_> = read.into_iter().map(|(_, word)| word).collect();
        assert_eq!(read, [bytes, bytes]);
    }
}

fn check_vars(key: ConfigKey, bytes: Vec<u8>) {
    let set = ConfigVars::default().changed([(key.clone(), Some(bytes.clone().into()))]);
    let Ok(vars) = set else {
        assert!(bytes.contains(&0) || bytes.len() > 64 * 1024);
        return;
    };
    let body = serde_json::to_vec(&paasd::api::fuzzing::answered(&vars)).expect("an answer is JSON");
    let read = paasd::api::fuzzing::config_vars(&ConfigVars::default(), &body);
    assert_eq!(read.as_ref(), Ok(&vars), "what is answered can be sent back");
    let removal = Value::from_iter([(key.as_str(), Value::Null)]).to_string();
    let removed = paasd::api::fuzzing::config_vars(&vars, removal.as_bytes());
    assert!(removed.is_ok_and(|removed| removed.is_empty()));
}
