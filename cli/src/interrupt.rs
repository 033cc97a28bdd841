//! Ctrl-C while the server works: we go, the work goes on, and we say so.

use std::process;
use std::sync::Mutex;

use crate::screen::Screen;

/// The shell's convention for a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

static FAREWELL: Mutex<Option<String>> = Mutex::new(None);

/// Sets what is said when the user presses Ctrl-C from now on.
pub(crate) fn leave_with(screen: &Screen, farewell: impl Into<String>) {
    let first = match FAREWELL.lock() {
        Ok(mut held) => held.replace(farewell.into()).is_none(),
        Err(_) => return,
    };
    if !first {
        return;
    }
    let screen = screen.clone();
    // Without a handler Ctrl-C still ends us, only silently.
    let _ = ctrlc::set_handler(move || {
        let text = FAREWELL.lock().ok().and_then(|mut held| held.take()).unwrap_or_default();
        screen.say(&format!("\n{text}"));
        process::exit(INTERRUPTED);
    });
}
