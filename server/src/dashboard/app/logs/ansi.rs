//! Reads the escape codes in a line of a log: colours and weights become the names of styles, everything else that a
//! terminal would obey is left out. What comes out is text; nothing of a line is ever markup.

/// A part of a line in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dashboard) struct Piece {
    /// Names of styles, separated by spaces: `b`, `dim`, `i`, `u`, `inv`, `s`, `f0` to `f15` for the colour of the text and
    /// `g0` to `g15` for that of its ground.
    pub(in crate::dashboard) style: String,
    pub(in crate::dashboard) text: String,
}

/// What SGR codes have set so far.
#[derive(Clone, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    faint: bool,
    italic: bool,
    underlined: bool,
    inverse: bool,
    struck: bool,
    text: Option<u8>,
    ground: Option<u8>,
}

/// Returns a line's parts, in time linear in its length.
pub(in crate::dashboard) fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces: Vec<(Look, String)> = Vec::new();
    let mut look = Look::default();
    let mut put = |look: &Look, c: char| match pieces.last_mut() {
        Some((last, text)) if last == look => text.push(c),
        _ => pieces.push((look.clone(), String::from(c))),
    };
    let mut rest = line;
    // A string without an end ends nowhere after it either.
    let mut strings_end = true;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{1b}' => rest = escape(rest, &mut look, &mut strings_end),
            '\u{9b}' => rest = control_sequence(rest, &mut look),
            '\t' => put(&look, c),
            // What a progress bar writes over itself is one line here.
            '\r' => put(&look, ' '),
            c if c.is_control() => {}
            c => put(&look, c),
        }
    }
    pieces.into_iter().map(|(look, text)| Piece { style: look.names(), text }).collect()
}

/// Passes over what an ESC begins; of what is no sequence only the ESC itself is left out.
fn escape<'a>(rest: &'a str, look: &mut Look, strings_end: &mut bool) -> &'a str {
    match rest.as_bytes().first() {
        Some(b'[') => control_sequence(&rest[1..], look),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => match string(&rest[1..]).filter(|_| *strings_end) {
            Some(after) => after,
            None => {
                *strings_end = false;
                &rest[1..]
            }
        },
        Some(0x20..=0x2f) => {
            let after = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
            after.strip_prefix(|c| matches!(c, '0'..='~')).unwrap_or(after)
        }
        Some(0x30..=0x7e) => &rest[1..],
        _ => rest,
    }
}

/// Returns what comes after a title, a link or another text for the terminal.
fn string(rest: &str) -> Option<&str> {
    let end = rest.find(['\u{7}', '\u{1b}', '\u{9c}'])?;
    let end = &rest[end..];
    end.strip_prefix("\u{1b}\\").or_else(|| end.strip_prefix(['\u{7}', '\u{9c}']))
}

/// Passes over parameters, intermediate bytes and the final one (ECMA-48, 5.4); one that breaks off is left out as far as
/// it goes.
fn control_sequence<'a>(rest: &'a str, look: &mut Look) -> &'a str {
    let is_in = |from: char, to: char| move |c: char| (from..=to).contains(&c);
    let after_parameters = rest.trim_start_matches(is_in('0', '?'));
    let parameters = &rest[..rest.len() - after_parameters.len()];
    let after = after_parameters.trim_start_matches(is_in(' ', '/'));
    let Some(end) = after.strip_prefix(is_in('@', '~')) else { return after };
    if after_parameters.starts_with('m') {
        look.set(parameters);
    }
    end
}

impl Look {
    /// Obeys one SGR sequence (ECMA-48, 8.3.117, and xterm's colours); parameters that are unknown do nothing.
    fn set(&mut self, parameters: &str) {
        if parameters.starts_with(['<', '=', '>', '?']) {
            return;
        }
        let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u16>().ok() };
        let mut groups = parameters.split(';');
        while let Some(group) = groups.next() {
            let mut parts = group.split(':');
            let code = number(parts.next().unwrap_or_default());
            if let Some(code @ (38 | 48)) = code {
                let colour = if group.contains(':') {
                    // `38:2::R:G:B` has a colour space that nobody uses.
                    colour(&mut parts.filter(|part| !part.is_empty()).map(number))
                } else {
                    colour(&mut groups.by_ref().map(number))
                };
                match code {
                    38 => self.text = colour.or(self.text),
                    _ => self.ground = colour.or(self.ground),
                }
            } else if let Some(code) = code {
                self.obey(code);
            }
        }
    }

    fn obey(&mut self, code: u16) {
        match code {
            0 => *self = Self::default(),
            1 => self.bold = true,
            2 => self.faint = true,
            3 => self.italic = true,
            4 => self.underlined = true,
            7 => self.inverse = true,
            9 => self.struck = true,
            22 => (self.bold, self.faint) = (false, false),
            23 => self.italic = false,
            24 => self.underlined = false,
            27 => self.inverse = false,
            29 => self.struck = false,
            30..=37 => self.text = Some((code - 30) as u8),
            39 => self.text = None,
            40..=47 => self.ground = Some((code - 40) as u8),
            49 => self.ground = None,
            90..=97 => self.text = Some((code - 90 + 8) as u8),
            100..=107 => self.ground = Some((code - 100 + 8) as u8),
            _ => {}
        }
    }

    fn names(&self) -> String {
        let marks = [
            (self.bold, "b"),
            (self.faint, "dim"),
            (self.italic, "i"),
            (self.underlined, "u"),
            (self.inverse, "inv"),
            (self.struck, "s"),
        ];
        let marks = marks.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
        let text = self.text.map(|colour| format!("f{colour}"));
        let ground = self.ground.map(|colour| format!("g{colour}"));
        marks.chain(text).chain(ground).collect::<Vec<_>>().join(" ")
    }
}

/// Reads what stands after 38 or 48: `5;N` or `2;R;G;B`. The pages have sixteen colours, that look well on light and dark
/// ground; others become the nearest of these.
fn colour(numbers: &mut impl Iterator<Item = Option<u16>>) -> Option<u8> {
    let mut byte = || numbers.next()?.and_then(|number| u8::try_from(number).ok());
    match byte()? {
        5 => match byte()? {
            named @ 0..16 => Some(named),
            cube @ 16..232 => {
                let steps = [0, 95, 135, 175, 215, 255];
                let [red, green, blue] =
                    [36, 6, 1].map(|weight| steps[usize::from((cube - 16) / weight % 6)]);
                Some(nearest([red, green, blue]))
            }
            grey => Some(nearest([8 + (grey - 232) * 10; 3])),
        },
        2 => {
            // All three belong to it, also where one is none: the rest of them are no codes.
            let [red, green, blue] = [byte(), byte(), byte()];
            Some(nearest([red?, green?, blue?]))
        }
        _ => None,
    }
}

fn nearest(colour: [u8; 3]) -> u8 {
    /// The colours of xterm.
    const NAMED: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    let distance = |named: &[u8; 3]| -> u32 {
        named.iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    (0..16).min_by_key(|number| distance(&NAMED[usize::from(*number)])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &str) -> Vec<(String, String)> {
        pieces(line).into_iter().map(|piece| (piece.style, piece.text)).collect()
    }

    fn text(line: &str) -> String {
        pieces(line).into_iter().map(|piece| piece.text).collect()
    }

    #[track_caller]
    fn is(line: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(shown(line), expected, "{line:?}");
    }

    #[test]
    fn colours_and_weights_are_named() {
        is("plain", &[("", "plain")]);
        is("\u{1b}[1;31mred\u{1b}[0m then\u{1b}[mon", &[("b f1", "red"), ("", " thenon")]);
        is("\u{1b}[93;44mx\u{1b}[39my\u{1b}[49mz", &[("f11 g4", "x"), ("g4", "y"), ("", "z")]);
        is("\u{1b}[2;3;4;7;9mx\u{1b}[22;23;24;27;29my", &[("dim i u inv s", "x"), ("", "y")]);
        is("\u{9b}32mx", &[("f2", "x")]);
    }

    #[test]
    fn many_colours_become_the_nearest_of_sixteen() {
        is("\u{1b}[38;5;9mx", &[("f9", "x")]);
        is("\u{1b}[38;5;196;1mx", &[("b f9", "x")]);
        is("\u{1b}[48;5;255mx", &[("g7", "x")]);
        is("\u{1b}[38;2;0;200;10;4mx", &[("u f2", "x")]);
        is("\u{1b}[38:2::255:255:0mx", &[("f11", "x")]);
        is("\u{1b}[31;38;2;999;0;0mx", &[("f1", "x")]);
    }

    #[test]
    fn what_else_a_terminal_would_obey_is_left_out() {
        is("a\u{1b}[2J\u{1b}[10;10Hb\u{1b}[?25lc\u{1b}[>4;1md", &[("", "abcd")]);
        is(
            "\u{1b}]0;title\u{7}a\u{1b}]8;;http://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\",
            &[("", "alink")],
        );
        is("\u{1b}Pq#0;2\u{1b}\\a\u{1b}(Bb\u{1b}7c\u{1b}cd", &[("", "abcd")]);
        is("10%\r20%\u{8}\u{0}\u{7}\tend\u{7f}\u{85}", &[("", "10% 20%\tend")]);
    }

    #[test]
    fn what_never_ends_hides_nothing() {
        is("\u{1b}]0;title without an end", &[("", "0;title without an end")]);
        is("a\u{1b}[31", &[("", "a")]);
        is("a\u{1b}[31ünext", &[("", "aünext")]);
        is("a\u{1b}", &[("", "a")]);
        is("\u{1b}\u{1b}[31mx", &[("f1", "x")]);
        assert_eq!(text(&"\u{1b}]".repeat(5_000)), "");
    }

    proptest! {
        #[test]
        fn what_has_no_control_characters_is_shown_as_it_is(line in "[^\\p{Cc}]{0,60}") {
            prop_assert_eq!(text(&line), line);
        }

        #[test]
        fn whatever_comes_is_text_of_the_line_in_known_styles(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("\u{1b}[".to_owned()), Just("\u{1b}]".to_owned()), Just("\u{1b}".to_owned()), Just("m".to_owned()),
                    "[0-9;:]{0,12}", "[ -~]{0,4}", any::<String>(),
                ],
                0..12,
            ),
        ) {
            let line = parts.concat();
            let mut rest = line.chars();
            for piece in pieces(&line) {
                let known = |name: &str| {
                    let colour = name.strip_prefix(['f', 'g']).and_then(|number| number.parse::<u8>().ok());
                    ["b", "dim", "i", "u", "inv", "s"].contains(&name) || colour.is_some_and(|colour| colour < 16)
                };
                prop_assert!(piece.style.split_whitespace().all(known), "{}", piece.style);
                for c in piece.text.chars() {
                    prop_assert!(c == '\t' || !c.is_control());
                    prop_assert!(rest.any(|original| original == c || (original == '\r' && c == ' ')));
                }
            }
        }

        #[test]
        fn a_colour_changes_the_style_and_never_the_text(words in prop::collection::vec(("[ -~]{0,8}", 0u16..120), 0..6)) {
            let plain: String = words.iter().map(|(word, _)| word.as_str()).collect();
            let coloured: String = words.iter().map(|(word, code)| format!("{word}\u{1b}[{code}m")).collect();
            prop_assert_eq!(text(&coloured), plain);
        }
    }
}
