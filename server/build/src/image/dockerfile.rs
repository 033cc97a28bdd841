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

/// Returns the first source of an `ADD` line, also of one for images on top of this, that the builder would fetch by itself: it does
/// that as root and in the machine's network, where neither the builds' network nor the packet filter see it. A source with a
/// variable counts, because that can be anything.
#[must_use]
pub fn fetched_source(text: &str) -> Option<String> {
    // Which of them continues a line is the builder's word, and not worth to be wrong about.
    ['\\', '`'].into_iter().flat_map(|escape| joined(text, escape)).find_map(|line| fetched_by(&line))
}

fn fetched_by(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    loop {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        match word.to_ascii_lowercase().as_str() {
            "onbuild" => {}
            "add" => break,
            _ => return None,
        }
    }
    while rest.starts_with("--") {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    let list: Option<Vec<String>> = serde_json::from_str(rest).ok();
    let mut words = list.unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
    // The last is where it goes.
    words.pop();
    words.into_iter().find(|word| {
        let plain = word.replace(['"', '\'', '\\', '`'], "").to_ascii_lowercase();
        plain.starts_with("http:") || plain.starts_with("https:") || plain.contains('$')
    })
}

/// Returns the lines with their continuations, without comments.
fn lines(text: &str) -> Vec<String> {
    joined(text, escape(text))
}

fn joined(text: &str, escape: char) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), String::new());
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim_end) {
        let begun = line.trim_start();
        if begun.is_empty() || begun.starts_with('#') {
            continue;
        }
        // As the builder does: a word may go on in the next line.
        let line = if open.is_empty() { begun } else { line };
        match line.strip_suffix(escape) {
            Some(begun) => open.push_str(begun),
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
    fn what_the_builder_would_fetch_by_itself_is_found_however_it_is_written() {
        for fetched in [
            "ADD http://169.254.169.254/latest /x",
            "add --chown=1:1 https://example.org/a b /x/",
            "ADD [\"a\", \"h\\u0074tp://example.org\", \"/x\"]",
            "ADD \\\n  http://example.org /x",
            "AD\\\nD ht\\\n# no\n\ntp://example.org /x",
            "ADD \"h\"t't'p://example.org /x",
            "ADD $URL /x",
            "ADD h${T}tp /x",
            "ONBUILD ADD http://example.org /x",
            "onbuild onbuild\tadd HTTP://example.org /x",
            "# hello\n# escape=`\nFROM a\nAD\\\nD http://example.org /x",
            "\u{feff}# escape=`\nFROM a\nAD`\nD http://example.org /x",
        ] {
            assert!(fetched_source(&format!("FROM a\n{fetched}\n")).is_some(), "{fetched}");
            assert!(fetched_source(fetched).is_some(), "{fetched}");
        }
        for others in [
            "ADD site.tar.gz /srv",
            "ADD [\"a\", \"/http://\"]",
            "COPY http /x",
            "RUN curl http://example.org",
            "ADD . https:",
            "ENV ADD http://a b",
            "ADD",
        ] {
            assert_eq!(fetched_source(others), None, "{others}");
        }
    }

    #[test]
    fn any_text_is_read() {
        for text in ["", "FROM", "FROM --x", "FROM a AS", "\\", "# escape", "from\u{a0}x"] {
            let _ = (bases(text), fetched_source(text));
        }
    }
}
