//! Reads a Dockerfile as far as has to be known before it is built: the images that it begins with.

use std::collections::BTreeSet;

/// Most bytes of a Dockerfile.
pub(crate) const DOCKERFILE_BYTES_MAX: usize = 1 << 20;

/// Most images that are fetched beforehand; the builder fetches others by itself.
const BASES_MAX: usize = 16;

/// Returns the images of its `FROM` lines in order, each once, but for stages of its own and names that hold variables.
pub(crate) fn bases(text: &str) -> Vec<String> {
    let (mut bases, mut stages) = (Vec::new(), BTreeSet::new());
    for line in lines(text) {
        let mut words = line.split_whitespace();
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("from")) {
            continue;
        }
        let mut words = words.skip_while(|word| word.starts_with("--"));
        let Some(name) = words.next() else { continue };
        let is_stage = stages.contains(&name.to_ascii_lowercase());
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("as")) {
            stages.extend(words.next().map(str::to_ascii_lowercase));
        }
        let known = is_stage || name == "scratch" || bases.iter().any(|base| base == name);
        if !known && is_name(name) && bases.len() < BASES_MAX {
            bases.push(name.to_owned());
        }
    }
    bases
}

/// Tells whether it can be the name of an image as it is. Of another the builder says what is wrong, or what it stands for.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain) && !text.contains("..")
}

/// Returns the lines with their continuations, without comments.
fn lines(text: &str) -> Vec<String> {
    let escape = escape(text);
    let (mut all, mut open) = (Vec::new(), String::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_suffix(escape) {
            Some(begun) => {
                open.push_str(begun);
                open.push(' ');
            }
            None => all.push(std::mem::take(&mut open) + line),
        }
    }
    all.push(open);
    all
}

/// Returns what continues a line, which a comment at the beginning may say.
fn escape(text: &str) -> char {
    let comments = text.lines().map(str::trim).take_while(|line| line.starts_with('#'));
    let said = comments.filter_map(|line| line.trim_start_matches('#').trim().split_once('='));
    let mut said = said.filter(|(name, _)| name.trim().eq_ignore_ascii_case("escape"));
    if said.next().is_some_and(|(_, value)| value.trim() == "`") { '`' } else { '\\' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_named_once_and_stages_and_variables_are_none() {
        let text = "# FROM commented\nARG V=1\nFROM --platform=linux/amd64 golang:1.22 AS Build\nRUN echo \\\n\
                    FROM inside\nfrom build as other\nFROM debian:$V\nFROM a/../../containers\nFROM a?b\nFROM scratch\nFROM golang:1.22\nFROM \\\n  alpine\n";
        assert_eq!(bases(text), ["golang:1.22", "alpine"]);
    }

    #[test]
    fn a_comment_can_choose_what_continues_a_line() {
        assert_eq!(bases("# escape=`\nFROM a\nRUN dir C:\\\nFROM b\nRUN x `\nFROM c\n"), ["a", "b"]);
    }

    #[test]
    fn any_text_is_read() {
        for text in ["", "FROM", "FROM --x", "FROM a AS", "\\", "# escape", "from\u{a0}x"] {
            let _ = bases(text);
        }
    }
}
