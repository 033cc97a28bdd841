//! Makes text that somebody else wrote safe to show on a terminal: no escape sequences, no control characters, no
//! characters that reorder a line. It decides nothing about meaning or length beyond the bound it is given.

/// What stands for bytes that may not be shown.
const STAND_IN: char = '\u{fffd}';

enum State {
    Text,
    /// After ESC.
    Escape,
    /// Inside `ESC [ …`, until a final byte.
    Control,
    /// Inside `ESC ] …` and its kin, until BEL or ESC.
    Command,
}

/// Returns one line of at most `longest` characters: escape sequences are gone, other control characters, line breaks
/// and bidirectional overrides are replaced, a cut is marked by `…`.
pub fn clean_line(text: &[u8], longest: usize) -> String {
    let cleaned = clean(text);
    let mut characters = cleaned.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c });
    let mut line: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// Returns text of any number of lines without escape sequences; tabs and line feeds stay.
pub fn clean(text: &[u8]) -> String {
    let mut state = State::Text;
    let mut shown = String::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        state = step(state, character, &mut shown);
    }
    shown
}

fn step(state: State, character: char, shown: &mut String) -> State {
    match (state, character) {
        (_, '\u{1b}') => State::Escape,
        (State::Escape, '[') => State::Control,
        (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::Command,
        // Two-byte sequences, and the intermediate bytes of longer ones.
        (State::Escape, ' '..='/') => State::Escape,
        (State::Escape, '0'..='~') | (State::Control, '@'..='~') | (State::Command, '\u{7}') => State::Text,
        (State::Control, ' '..='?') => State::Control,
        // A line break ends any sequence, so that one unfinished sequence cannot swallow what follows.
        (State::Command, other) if other != '\n' => State::Command,
        (_, other) => {
            shown.push(if is_shown(other) { other } else { STAND_IN });
            State::Text
        }
    }
}

fn is_shown(character: char) -> bool {
    let reorders =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(character, '\u{2028}' | '\u{2029}');
    matches!(character, '\n' | '\t') || !(character.is_control() || reorders || breaks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_titles_and_overrides_do_not_reach_the_terminal() {
        assert_eq!(clean(b"\x1b[31;1mred\x1b[0m and \x1b]0;title\x07plain"), "red and plain");
        assert_eq!(clean(b"\x1bP1$tq\x1b\\done\x1b(Bx"), "donex");
        assert_eq!(clean("a\u{202e}b\u{9b}c\r\n".as_bytes()), "a\u{fffd}b\u{fffd}c\u{fffd}\n");
        assert_eq!(clean(b"\x1b]0;never closed\nnext"), "\nnext");
    }

    #[test]
    fn a_long_line_is_cut_with_a_mark() {
        assert_eq!(clean_line("grüße\nan alle".as_bytes(), 8), "grüße a…");
        assert_eq!(clean_line(b"short", 5), "short");
    }

    proptest! {
        #[test]
        fn nothing_unshowable_comes_out_of_any_bytes(bytes: Vec<u8>) {
            prop_assert!(clean(&bytes).chars().all(is_shown));
            prop_assert!(clean_line(&bytes, 20).chars().count() <= 20);
        }

        #[test]
        fn plain_words_stay_as_they_are(text in "[a-zA-Z0-9äöü€ .,/-]{0,60}") {
            prop_assert_eq!(clean(text.as_bytes()), text);
        }
    }
}
