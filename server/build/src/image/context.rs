//! Writes the archive that an image is built from: the source without what `.dockerignore` names.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::ignored::Ignored;

/// What the builder reads itself; it leaves them out of the image if they are named.
const ALWAYS: [&str; 2] = ["Dockerfile", ".dockerignore"];

/// Writes the archive and returns how many files and links are in it. Nothing may run in the tree. Modes are those that git
/// knows, and all belongs to root, so that the same commit is the same context.
pub(super) fn write(source: &Path, ignored: &Ignored, archive: &Path) -> io::Result<u64> {
    let mut context = Builder::new(BufWriter::new(File::create(archive)?));
    let mut files = 0;
    let mut waiting = vec![PathBuf::new()];
    while let Some(directory) = waiting.pop() {
        let mut names: Vec<_> = fs::read_dir(source.join(&directory))?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<_>>()?;
        names.sort();
        for name in names {
            let path = directory.join(name);
            let facts = fs::symlink_metadata(source.join(&path))?;
            let kept_out = ignored.has(&path) && !ALWAYS.iter().any(|name| path == Path::new(name));
            if facts.is_dir() && !(kept_out && ignored.is_final()) {
                waiting.push(path.clone());
            }
            if kept_out {
                continue;
            }
            files += u64::from(!facts.is_dir());
            add(&mut context, source, &path, &facts)?;
        }
    }
    context.into_inner()?.flush()?;
    Ok(files)
}

fn add(
    context: &mut Builder<BufWriter<File>>,
    source: &Path,
    path: &Path,
    facts: &fs::Metadata,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header.set_mode(if facts.is_dir() || facts.permissions().mode() & 0o111 != 0 { 0o755 } else { 0o644 });
    if facts.is_dir() {
        header.set_entry_type(EntryType::Directory);
        return context.append_data(&mut header, path, io::empty());
    }
    if facts.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        return context.append_link(&mut header, path, fs::read_link(source.join(path))?);
    }
    if facts.is_file() {
        header.set_entry_type(EntryType::Regular);
        header.set_size(facts.len());
        return context.append_data(&mut header, path, File::open(source.join(path))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_named_stays_out_and_links_stay_links() {
        let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let root = dir.path();
        for (name, content) in [
            ("Dockerfile", "FROM x"),
            ("lib/a", "a"),
            ("lib/b.log", "b"),
            ("secret/key", "k"),
            ("secret/pub", "p"),
        ] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), content).unwrap();
        }
        fs::set_permissions(root.join("lib/a"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink("/etc/passwd", root.join("link")).unwrap();
        let ignored = Ignored::parse(b"Dockerfile\n**/*.log\nsecret\n!secret/pub\n");
        assert_eq!(write(root, &ignored, out.path()).unwrap(), 4);
        let mut archive = tar::Archive::new(File::open(out.path()).unwrap());
        let found: BTreeMap<_, _> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                (path, (entry.header().entry_type(), entry.header().mode().unwrap()))
            })
            .collect();
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["Dockerfile", "lib", "lib/a", "link", "secret/pub"]);
        assert_eq!(found["link"].0, EntryType::Symlink);
        assert_eq!((found["lib/a"].1, found["Dockerfile"].1), (0o755, 0o644));
    }
}
