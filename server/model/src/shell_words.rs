//! Splits bytes into words as a shell does: quotes, backslashes, `$'…'` and comments. Nothing is expanded: a file of
//! assignments is data.

use std::iter::Peekable;
use std::slice::Iter;

/// The bytes that are still to be read.
type Rest<'a> = Peekable<Iter<'a, u8>>;

/// Returns the words with the lines, from 1, in which they begin.
///
/// # Errors
/// The text ends inside a quote; it is of the word that begins in this line.
pub fn by_line(text: &[u8]) -> Result<Vec<(usize, Vec<u8>)>, usize> {
    let (mut rest, mut words) = (text.iter().peekable(), Vec::new());
    let (mut line, mut counted) = (1, 0);
    while let Some(&&byte) = rest.peek() {
        match byte {
            b' ' | b'\t' | b'\n' => drop(rest.next()),
            b'#' => while rest.next_if(|byte| **byte != b'\n').is_some() {},
            _ => {
                let at = text.len() - rest.len();
                line += text[counted..at].iter().filter(|byte| **byte == b'\n').count();
                counted = at;
                words.push((line, word(&mut rest).ok_or(line)?));
            }
        }
    }
    Ok(words)
}

/// Returns the words, or nothing when the text ends inside a quote.
#[cfg(test)]
fn split(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    Some(by_line(text).ok()?.into_iter().map(|(_, word)| word).collect())
}

fn word(rest: &mut Rest) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    while let Some(&byte) = rest.next_if(|byte| !b" \t\n".contains(byte)) {
        match byte {
            b'\'' => single(rest, &mut word)?,
            b'"' => double(rest, &mut word)?,
            b'$' if rest.next_if(|byte| **byte == b'\'').is_some() => ansi(rest, &mut word)?,
            b'\\' => match rest.next()? {
                b'\n' => {}
                other => word.push(*other),
            },
            _ => word.push(byte),
        }
    }
    Some(word)
}

fn single(rest: &mut Rest, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match rest.next()? {
            b'\'' => return Some(()),
            byte => word.push(*byte),
        }
    }
}

fn double(rest: &mut Rest, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match rest.next()? {
            b'"' => return Some(()),
            b'\\' => match rest.next()? {
                b'\n' => {}
                byte if b"$`\"\\".contains(byte) => word.push(*byte),
                byte => word.extend([b'\\', *byte]),
            },
            byte => word.push(*byte),
        }
    }
}

fn ansi(rest: &mut Rest, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match rest.next()? {
            b'\'' => return Some(()),
            b'\\' => escape(rest, word)?,
            byte => word.push(*byte),
        }
    }
}

/// Reads what follows a backslash in `$'…'`; one that means nothing stays.
fn escape(rest: &mut Rest, word: &mut Vec<u8>) -> Option<()> {
    let byte = *rest.next()?;
    match byte {
        b'a' => word.push(7),
        b'b' => word.push(8),
        b'e' | b'E' => word.push(27),
        b'f' => word.push(12),
        b'n' => word.push(b'\n'),
        b'r' => word.push(b'\r'),
        b't' => word.push(b'\t'),
        b'v' => word.push(11),
        b'\\' | b'\'' | b'"' | b'?' => word.push(byte),
        b'c' => word.push(*rest.next()? & 0x1f),
        b'0'..=b'7' => {
            let first = u32::from(byte - b'0');
            // Of an octal number that is too large bash keeps the low byte.
            word.push(number(rest, first, 8, 2).unwrap_or(first).to_le_bytes()[0]);
        }
        b'x' => match number(rest, 0, 16, 2) {
            Some(value) => word.push(value.to_le_bytes()[0]),
            None => word.extend(*b"\\x"),
        },
        b'u' | b'U' => {
            let character = number(rest, 0, 16, if byte == b'u' { 4 } else { 8 }).map(char::from_u32);
            match character {
                Some(Some(character)) => word.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => word.extend([b'\\', byte]),
            }
        }
        _ => word.extend([b'\\', byte]),
    }
    Some(())
}

/// Reads at most so many more digits; nothing if there is none.
fn number(rest: &mut Rest, first: u32, radix: u32, digits: usize) -> Option<u32> {
    let (mut value, mut found) = (first, false);
    for _ in 0..digits {
        let Some(digit) = rest.peek().and_then(|byte| char::from(**byte).to_digit(radix)) else { break };
        rest.next();
        (value, found) = (value.wrapping_mul(radix).wrapping_add(digit), true);
    }
    found.then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        Some(split(text.as_bytes())?.into_iter().map(|word| String::from_utf8(word).unwrap()).collect())
    }

    #[test]
    fn quotes_backslashes_and_comments_are_a_shells() {
        let text = "# one\nexport A=1\\ 2 B='x \"y' # two\nC=\"a\\\"b\\n$HOME\" D=a#b E=\\\nF ''\n";
        let read = words(text).unwrap();
        assert_eq!(read, ["export", "A=1 2", "B=x \"y", "C=a\"b\\n$HOME", "D=a#b", "E=F", ""]);
    }

    #[test]
    fn words_are_told_with_their_lines() {
        let text = b"A=1\n# no word\n\nB='two\nlines' C=3\nD='open\n";
        assert_eq!(by_line(text), Err(6));
        let lines: Vec<_> =
            by_line(&text[..text.len() - 8]).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 4, 5]);
    }

    #[test]
    fn escapes_are_those_of_bash() {
        let text = r"$'\a\e\t\x41\1012\u00e4\U0001f980\cA\q\xg\'' $x '$'a";
        let read = words(text).unwrap();
        assert_eq!(read, ["\u{7}\u{1b}\tAA2ä🦀\u{1}\\q\\xg'", "$x", "$a"]);
    }

    #[test]
    fn what_ends_inside_a_quote_is_no_list_of_words() {
        for open in ["'a", "\"a", "$'a", "a\\", "$'a\\"] {
            assert_eq!(words(open), None, "{open}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = split(&text);
        }

        #[test]
        fn bash_reads_the_same(text in "[ab01xu7 \\\\'\"#é]{0,12}", ansi in "[ab17xe\\\\n\"ü]{0,8}") {
            let text = format!("{text} $'{ansi}' end");
            let script = format!("set -- {text}\nfor word; do printf '%s\\0' \"$word\"; done\n");
            let mut bash = std::process::Command::new("bash");
            let told = bash.args(["-c", &script]).env("LC_ALL", "C.UTF-8").output().unwrap();
            let ours = split(text.as_bytes());
            // Where a quote stays open, bash takes what follows into it.
            prop_assume!(ours.is_some() && told.stderr.is_empty());
            let ours: Vec<u8> = ours.into_iter().flatten().flat_map(|word| [word, vec![0]].concat()).collect();
            prop_assert_eq!(ours, told.stdout, "{:?}", text);
        }
    }
}
