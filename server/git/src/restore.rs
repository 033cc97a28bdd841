//! Makes a repository of the files of a snapshot. They come from a backup: only what a snapshot consists of is taken, and
//! no setting or hook comes with it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::Repository;
use crate::snapshot::{HEAD, REFERENCES, SHALLOW, is_hex, line, pack_part};

/// Longest list of references that is read, in bytes.
const TEXT_MAX: u64 = 256 << 20;

impl Repository {
    /// Puts a file of a snapshot into a repository that was just made. Blocks.
    ///
    /// # Errors
    /// The file is none of a snapshot's, is there already, or cannot be written.
    pub fn put_back(&self, file: &str, content: &mut dyn Read) -> anyhow::Result<()> {
        let pieces: Vec<&str> = file.split('/').collect();
        match *pieces.as_slice() {
            [HEAD] => self.put_back_head(&text(content)?),
            [REFERENCES] => self.put_back_references(&text(content)?),
            [SHALLOW] => {
                let text = text(content)?;
                if !text.lines().all(|line| is_hex(line, 40)) {
                    bail!("where the history ends is not told in hashes");
                }
                Ok(fs::write(self.path().join("shallow"), text)?)
            }
            ["pack", name] if pack_part(name).is_some() => {
                write(&self.path().join("objects/pack").join(name), content)
            }
            ["loose", fan, name] if is_hex(fan, 2) && is_hex(name, 38) => {
                write(&self.path().join("objects").join(fan).join(name), content)
            }
            _ => bail!("`{}` is no part of a repository", crate::terminal::clean_line(file.as_bytes(), 100)),
        }
    }

    fn put_back_head(&self, text: &str) -> anyhow::Result<()> {
        let branch = text.trim_end().strip_prefix("ref: refs/heads/");
        self.set_head(branch.context("HEAD names no branch")?)
    }

    fn put_back_references(&self, text: &str) -> anyhow::Result<()> {
        for one in text.lines() {
            let name = line(one).map(|(name, _)| name);
            if !name.is_some_and(|name| name.starts_with("refs/") && git2::Reference::is_valid_name(&name)) {
                bail!("`{}` is no reference", crate::terminal::clean_line(one.as_bytes(), 100));
            }
        }
        // Sorted, as git wants them: a snapshot's are.
        Ok(fs::write(self.path().join("packed-refs"), format!("# pack-refs with: sorted \n{text}"))?)
    }
}

fn text(content: &mut dyn Read) -> anyhow::Result<String> {
    let mut text = String::new();
    content.take(TEXT_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn write(path: &Path, content: &mut dyn Read) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path).context("an object comes twice, or cannot be written")?;
    io::copy(content, &mut file)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o444))?;
    Ok(())
}
