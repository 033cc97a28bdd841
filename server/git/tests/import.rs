//! Uploaded archives: ordinary ones become commits, hostile ones are refused at once and leave nothing.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use git::{ArchiveError, Authorship, ImportError, ImportLimits, ObjectId, Repositories, Repository};
use support::git_command;
use tar::{EntryType, Header};

fn empty_repository(dir: &Path) -> Repository {
    Repositories::open(dir).unwrap().create("app", "main").unwrap()
}

fn git(repository: &Repository, arguments: &[&str]) -> String {
    let output = git_command(repository.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

struct Archive(tar::Builder<GzEncoder<Vec<u8>>>);

impl Archive {
    fn new() -> Self {
        Self(tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast())))
    }

    /// Writes an entry by hand, as somebody would who means harm.
    fn entry(mut self, kind: EntryType, name: &str, content: impl Read, size: u64) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(size);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, content.as_bytes(), content.len() as u64)
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap().finish().unwrap()
    }
}

fn import(repository: &Repository, archive: impl Read + Send + 'static) -> Result<ObjectId, ImportError> {
    import_within(repository, archive, &ImportLimits::default())
}

fn import_within(
    repository: &Repository,
    archive: impl Read + Send + 'static,
    limits: &ImportLimits,
) -> Result<ObjectId, ImportError> {
    let authorship =
        Authorship { email: "ann@example.org".to_owned(), subject: "Second\nline <x>".to_owned() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(repository.import("build-1", archive, &authorship, limits))
}

fn refused(repository: &Repository, archive: Vec<u8>) -> ArchiveError {
    match import(repository, io::Cursor::new(archive)) {
        Err(ImportError::Archive(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_untouched(repository: &Repository) {
    assert_eq!(repository.kept_builds().unwrap(), []);
    let packs = std::fs::read_dir(repository.path().join("objects/pack")).unwrap().count();
    let root = std::fs::read_dir(repository.path().parent().unwrap()).unwrap();
    let scratch = root.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".scratch"));
    assert_eq!((packs, scratch.count()), (0, 0));
}

#[test]
fn what_tar_packs_becomes_a_commit_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(&dir.path().join("repos"));
    let work = dir.path().join("work");
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(150));
    std::fs::create_dir_all(work.join(&long).parent().unwrap()).unwrap();
    std::fs::write(work.join(&long), "long").unwrap();
    std::fs::write(work.join("Procfile"), "web: ./serve\n").unwrap();
    std::fs::write(work.join("a \"b\" \\ ü\n"), "odd").unwrap();
    std::os::unix::fs::symlink("x".repeat(200), work.join("link")).unwrap();
    for format in ["gnu", "pax"] {
        let archive = dir.path().join(format!("{format}.tgz"));
        let mut tar = std::process::Command::new("tar");
        tar.arg(format!("--format={format}")).arg("-czf").arg(&archive).args([
            "-C",
            work.to_str().unwrap(),
            ".",
        ]);
        assert!(tar.status().unwrap().success());
        let commit = import(&repository, std::fs::File::open(&archive).unwrap()).unwrap();
        assert_eq!(repository.kept_builds().unwrap(), [("build-1".to_owned(), commit)]);
        let id = commit.to_string();
        let tree = git(&repository, &["ls-tree", "-rz", &id]);
        let shown: Vec<_> =
            tree.split_terminator('\0').map(|line| line.split_once('\t').unwrap().1).collect();
        assert_eq!(shown, ["Procfile", "a \"b\" \\ ü\n", &long, "link"]);
        let link = git(&repository, &["show", &format!("{id}:link")]);
        assert_eq!(link, "x".repeat(200));
        let said = git(&repository, &["log", "--format=%an %ae %s|%P|%b", &id]);
        assert_eq!(said.trim(), "ann@example.org ann@example.org Second line <x>||");
        git(&repository, &["fsck", "--strict"]);
        repository.forget_build("build-1").unwrap();
    }
}

#[test]
fn a_record_that_would_fill_the_memory_is_refused_unread() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(dir.path());
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader] {
        let size = 20 << 20;
        let archive = Archive::new().entry(kind, "long", io::repeat(b'a').take(size), size).finish();
        assert!(archive.len() < 1 << 20, "it expands");
        assert!(matches!(refused(&repository, archive), ArchiveError::Extension), "{kind:?}");
    }
    assert_untouched(&repository);
}

#[test]
fn entries_and_bytes_are_counted_whatever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(dir.path());
    let limits = ImportLimits { entries: 3, bytes: 10_000, ..ImportLimits::default() };
    let within = |archive: Archive| import_within(&repository, io::Cursor::new(archive.finish()), &limits);
    let directories =
        (0..4).fold(Archive::new(), |archive, _| archive.entry(EntryType::Directory, "d", io::empty(), 0));
    assert!(matches!(within(directories), Err(ImportError::Archive(ArchiveError::TooMany(3)))));
    for kind in [EntryType::Directory, EntryType::XGlobalHeader, EntryType::Regular] {
        let large = Archive::new().entry(kind, "a", io::repeat(b'a').take(10_001), 10_001);
        let refused = within(large);
        assert!(matches!(refused, Err(ImportError::Archive(ArchiveError::TooLarge(_)))), "{refused:?}");
    }
    assert_untouched(&repository);
    within(Archive::new().file("a", "a").file("b", "b").file("c", "c")).unwrap();
}

#[test]
fn what_no_commit_holds_is_refused_in_words_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(dir.path());
    let words = |archive: Vec<u8>| refused(&repository, archive).to_string();
    let good = || Archive::new().file("good", "good");
    assert!(words(good().file("../evil", "x").finish()).contains("`../evil`, which leads out"));
    assert!(words(good().file("a/git~1/config", "x").finish()).contains("git's own directory"));
    assert!(words(good().entry(EntryType::Fifo, "pipe", io::empty(), 0).finish()).contains("neither file"));
    assert!(words(good().entry(EntryType::Link, "hard", io::empty(), 0).finish()).contains("neither file"));
    let sparse = b"22 GNU.sparse.major=1\n";
    let sparse = good().entry(EntryType::XHeader, "x", &sparse[..], sparse.len() as u64).file("holes", "x");
    assert!(words(sparse.finish()).contains("neither file"));
    assert!(words(b"no archive at all".to_vec()).contains("not a whole tar.gz"));
    let mut noise = vec![0; 100_000];
    getrandom(&mut noise);
    let whole = good().entry(EntryType::Regular, "large", &noise[..], noise.len() as u64).finish();
    assert!(words(whole[..whole.len() / 2].to_vec()).contains("not a whole tar.gz"));
    assert_untouched(&repository);
}

fn getrandom(bytes: &mut [u8]) {
    std::fs::File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
}

/// An archive whose end does not come as long as the other side is held.
struct Endless {
    beginning: io::Cursor<Vec<u8>>,
    end: mpsc::Receiver<()>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.beginning.read(buffer)? {
            0 => {
                let _ = self.end.recv();
                Ok(0)
            }
            n => Ok(n),
        }
    }
}

#[test]
fn an_import_ends_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let repository = empty_repository(dir.path());
    let mut beginning = GzEncoder::new(Vec::new(), Compression::fast());
    beginning.write_all(&[0; 100]).unwrap();
    beginning.flush().unwrap();
    let (hold, end) = mpsc::channel();
    let archive = Endless { beginning: io::Cursor::new(beginning.get_ref().clone()), end };
    let limits = ImportLimits { time: Duration::from_millis(200), ..ImportLimits::default() };
    let authorship = Authorship { email: String::new(), subject: String::new() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let slow = runtime.block_on(repository.import("build-1", archive, &authorship, &limits));
    assert!(matches!(slow, Err(ImportError::Slow(_))), "{slow:?}");
    assert_untouched(&repository);
    // A runtime ends when its threads have.
    drop(hold);
}
