//! A body of the API of any bytes: it is read or refused, no refusal repeats a config value, settings that were taken
//! hold their bounds and can be sent again, and the address of a list's next piece is one that is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::app::AppSettings;
use model::config::ConfigVars;
use paasd::api::fuzzing as api;
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(refused) = api::fields(bytes) {
        refused.iter().for_each(|told| check_told(told));
    }
    check_config_vars(bytes);
    check_settings(bytes);
    if let Err(told) = api::scale(bytes) {
        check_told(&told);
    }
    check_pieces(bytes);
});

/// What a client is told is JSON, and nothing in it steers a terminal.
fn check_told(told: &str) {
    let told: Value = serde_json::from_str(told).expect("a refusal is JSON");
    let message = told["message"].as_str().expect("a refusal is a sentence");
    assert!(!message.contains(char::is_control), "{message:?}");
}

fn check_config_vars(bytes: &[u8]) {
    match api::config_vars(&ConfigVars::default(), bytes) {
        Ok(vars) => {
            let body = serde_json::to_vec(&api::answered(&vars)).expect("an answer is JSON");
            assert_eq!(api::config_vars(&ConfigVars::default(), &body).as_ref(), Ok(&vars));
        }
        Err(told) => {
            let Ok(Value::Object(mut vars)) = serde_json::from_slice(bytes) else { return };
            vars.values_mut().for_each(hide);
            let body = serde_json::to_vec(&vars).expect("it was JSON");
            let hidden = api::config_vars(&ConfigVars::default(), &body);
            assert_eq!(hidden.err(), Some(told), "a refusal tells nothing of a value");
        }
    }
}

/// Puts other texts of the same lengths in place of all texts; what is refused in any case stays refused.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.bytes().map(|byte| if byte == 0 { '\0' } else { 'x' }).collect(),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| match value {
            Value::String(text) if name == "base64" => {
                let is_odd = |byte: u8| !byte.is_ascii_alphanumeric() && !b"+/=".contains(&byte);
                if text.bytes().any(is_odd) {
                    *text = "!".repeat(text.len());
                }
            }
            value => hide(value),
        }),
        _ => {}
    }
}

fn check_settings(bytes: &[u8]) {
    match api::settings(&AppSettings::default(), bytes) {
        Ok(settings) => {
            assert_eq!(api::settings(&settings, bytes).as_ref(), Ok(&settings), "twice is once");
            let body = serde_json::to_vec(&settings).expect("settings are JSON");
            assert_eq!(api::settings(&AppSettings::default(), &body).as_ref(), Ok(&settings));
            assert!((1..=3_600).contains(&settings.rollout_seconds) && settings.stop_seconds <= 3_600);
            assert!(
                settings.health.path.starts_with('/') && !settings.health.path.contains([' ', '\r', '\n'])
            );
        }
        Err(told) => check_told(&told),
    }
}

fn check_pieces(bytes: &[u8]) {
    let Ok(mut range) = bytes.try_into() else { return };
    let items =
        || (1..=30).map(|n| json!({"version": n, "id": format!("{:x}", n * 7 % 31)})).collect::<Vec<_>>();
    let (mut seen, mut pieces) = (Vec::new(), 0);
    loop {
        let (piece, _, next) = api::piece(&range, items());
        seen.extend(piece.into_iter().map(|item| item["version"].as_u64()));
        pieces += 1;
        assert!(pieces <= 31, "a list ends");
        let Some(next) = next else { break };
        range = next.try_into().expect("it goes into a header");
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all, "nothing is shown twice");
}
