//! Asks the person at the terminal; a program in its place is never asked.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::Result;

/// Returns whether the answer is yes, or nothing when stdin is no terminal. The end of the input is no.
///
/// # Errors
/// The terminal cannot be read.
pub(crate) fn agreed(question: &str) -> Result<Option<bool>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let _ = write!(io::stderr(), "{question} [y/n] ");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(Some(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}
