//! What a container image says of itself, as far as whoever runs it has to know, and what is run in it.

use serde::{Deserialize, Serialize};

/// The shell that runs command lines in an image.
pub const SHELL: &str = "/bin/sh";

/// The configuration of an image, with the words of the OCI image specification.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Its id: the digest of its configuration, `sha256:…`.
    pub id: String,
    /// The beginning of what it runs.
    #[serde(default)]
    pub entrypoint: Vec<String>,
    /// The rest of what it runs, in the place of which a command may be given.
    #[serde(default)]
    pub cmd: Vec<String>,
    /// Its variables; those of the app and the platform go before them.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Where programs begin; nothing for `/`.
    #[serde(default)]
    pub workdir: String,
    /// Whom it is meant to run as. It runs as the app's own user, whom all its files belong to.
    #[serde(default)]
    pub user: String,
    /// The home directory of that user in the image.
    #[serde(default)]
    pub home: String,
    /// The ports it speaks of, such as `8080/tcp`. It is told by `PORT` where to listen.
    #[serde(default)]
    pub ports: Vec<String>,
}

impl ImageConfig {
    /// Returns what it runs by itself as a command line, or nothing if it does not say.
    #[must_use]
    pub fn command_line(&self) -> Option<String> {
        let words: Vec<_> = self.own_words().iter().map(|word| quoted(word)).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Returns the words that run a command line in it: its own as they are, any other by its shell. Its entry point is part
    /// of its own command only.
    #[must_use]
    pub fn words(&self, command_line: &str) -> Vec<String> {
        if self.command_line().as_deref() == Some(command_line) {
            return self.own_words();
        }
        [SHELL, "-c", command_line].map(str::to_owned).to_vec()
    }

    /// Returns where programs begin.
    #[must_use]
    pub fn workdir(&self) -> &str {
        if self.workdir.starts_with('/') { &self.workdir } else { "/" }
    }

    fn own_words(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.cmd).cloned().collect()
    }
}

/// Returns a word as a shell would have it written.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(entrypoint: &[&str], cmd: &[&str]) -> ImageConfig {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        ImageConfig { entrypoint: words(entrypoint), cmd: words(cmd), ..ImageConfig::default() }
    }

    #[test]
    fn the_command_of_the_image_runs_word_by_word_and_any_other_by_its_shell() {
        let image = image(&["/entry"], &["nginx", "-g", "daemon off;", "it's"]);
        let line = image.command_line().unwrap();
        assert_eq!(line, r"/entry nginx -g 'daemon off;' 'it'\''s'");
        assert_eq!(image.words(&line), ["/entry", "nginx", "-g", "daemon off;", "it's"]);
        assert_eq!(image.words("rake db:migrate"), ["/bin/sh", "-c", "rake db:migrate"]);
    }

    #[test]
    fn what_a_shell_reads_of_the_line_is_what_the_image_said() {
        let words = ["", "a b", "$HOME", "\"", "\\", "tab\there", "new\nline", "ü"];
        let line = image(&[], &words).command_line().unwrap();
        let read = crate::shell_words::by_line(line.as_bytes()).unwrap();
        let read: Vec<_> = read.into_iter().map(|(_, word)| String::from_utf8(word).unwrap()).collect();
        assert_eq!(read, words);
    }

    #[test]
    fn an_image_that_says_nothing_has_no_command_and_begins_at_the_root() {
        let image = ImageConfig { workdir: "relative".into(), ..ImageConfig::default() };
        assert_eq!((image.command_line(), image.workdir()), (None, "/"));
    }
}
