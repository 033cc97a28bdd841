//! Commits with submodules, fetched over HTTP from a server on this machine.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use git::{
    ExportLimits, Exported, Fetcher, ObjectId, SourceError, SubmoduleError, SubmoduleFault, SubmoduleLimits,
};
use sandbox::{HostFacts, Identity};
use support::{Platform, Work};

/// Who asks for submodules. No app's user, for whom the packet filter of a server on this machine may close the port that
/// a test has by chance.
const UID: u32 = 150_001;

/// An app with submodules and the server that has everything.
struct Scene {
    platform: Platform,
    work: Work,
}

impl Scene {
    fn new() -> Self {
        let platform = Platform::accepting();
        let work = platform.work("work");
        Self { platform, work }
    }

    /// Makes a repository on the server and pushes one commit.
    fn library(&self, name: &str, prepare: impl Fn(&Work)) -> ObjectId {
        self.platform.repositories().create(name, "main").unwrap();
        let work = self.platform.work(name);
        work.write("lib.py", name);
        prepare(&work);
        let commit = work.commit(name);
        work.git(&["push", "-q", &self.url(name), "main"]);
        commit
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.platform.url)
    }

    fn fetcher(&self) -> Fetcher {
        let host = HostFacts::detect(&self.platform.dir.path().join("etc")).unwrap();
        Fetcher {
            cgroup: format!("source-{}", sandbox::mark(&host.generated)),
            host: Arc::new(host),
            identity: Identity::new(UID, UID).unwrap(),
            environment: BTreeMap::new(),
            certificates: Vec::new(),
        }
    }

    fn source(&self, commit: ObjectId) -> (Result<Exported, SourceError>, Vec<String>) {
        self.source_within(commit, &SubmoduleLimits::default())
    }

    fn source_within(
        &self,
        commit: ObjectId,
        submodules: &SubmoduleLimits,
    ) -> (Result<Exported, SourceError>, Vec<String>) {
        self.work.git(&["push", "-q", "-f", "paas", "main"]);
        let lines = Mutex::new(Vec::new());
        let say = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let into = self.platform.dir.path().join(commit.to_string());
        let limits = (&ExportLimits::default(), submodules);
        let repository = self.platform.repository();
        let fetcher = self.fetcher();
        let fetching = fetcher.source(&repository, commit, &into, limits, &say);
        let result = self.platform.runtime.block_on(fetching);
        (result, lines.into_inner().unwrap())
    }

    fn failing(&self, url: &str) -> SubmoduleError {
        let commit = refer(&self.work, "vendor/lib", Some(url), "1".repeat(40).parse().unwrap());
        match self.source(commit).0 {
            Err(SourceError::Submodule(error)) => error,
            other => panic!("{url}: {other:?}"),
        }
    }

    fn read(&self, commit: ObjectId, path: &str) -> String {
        std::fs::read_to_string(self.platform.dir.path().join(commit.to_string()).join(path)).unwrap()
    }
}

/// Commits a reference to another repository.
fn refer(work: &Work, path: &str, url: Option<&str>, commit: ObjectId) -> ObjectId {
    if let Some(url) = url {
        work.write(".gitmodules", format!("[submodule \"s\"]\n\tpath = {path}\n\turl = {url}\n"));
    }
    work.git(&["add", "-A"]);
    std::fs::create_dir_all(work.path.join(path)).unwrap();
    work.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
    work.git(&["commit", "-q", "--allow-empty", "-m", "refer"]);
    work.git(&["rev-parse", "HEAD"]).parse().unwrap()
}

#[test]
fn submodules_and_their_submodules_are_part_of_the_source() {
    let scene = Scene::new();
    let inner = scene.library("inner", |_| ());
    let outer = scene.library("outer", |work| {
        refer(work, "deep/inner", Some(&scene.url("inner")), inner);
    });
    let commit = refer(&scene.work, "vendor/lib", Some(&scene.url("outer")), outer);
    let (source, lines) = scene.source(commit);
    let source = source.unwrap();
    let paths: Vec<_> = source.submodules.iter().map(|submodule| submodule.path.clone()).collect();
    assert_eq!(paths, [PathBuf::from("vendor/lib"), PathBuf::from("vendor/lib/deep/inner")]);
    assert_eq!(scene.read(commit, "vendor/lib/lib.py"), "outer");
    assert_eq!(scene.read(commit, "vendor/lib/deep/inner/lib.py"), "inner");
    assert!(lines[0].starts_with("Fetching the submodule vendor/lib at "), "{lines:?}");
    let left = std::fs::read_dir(scene.platform.repository().path().parent().unwrap()).unwrap();
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with(".scratch")));
}

#[test]
fn a_commit_that_no_branch_names_any_more_is_still_fetched() {
    let scene = Scene::new();
    let old = scene.library("lib", |_| ());
    let work = Work { path: scene.platform.dir.path().join("lib") };
    work.commit("newer");
    work.git(&["push", "-q", &scene.url("lib"), "main"]);
    let commit = refer(&scene.work, "lib", Some(&scene.url("lib")), old);
    scene.source(commit).0.unwrap();
    assert_eq!(scene.read(commit, "lib/lib.py"), "lib");
}

#[test]
fn a_submodule_that_cannot_be_fetched_is_named_with_what_helps() {
    let scene = Scene::new();
    let authority = scene.platform.url.strip_prefix("http://").unwrap();
    let error = scene.failing(&format!("http://me:s3cret@{authority}/absent.git"));
    let words = format!("{error} {}", error.hint());
    assert!(
        words.contains("`vendor/lib`") && words.contains(&format!("http://***@{authority}/absent.git")),
        "{words}"
    );
    assert!(words.contains("not found") && words.contains("git rm --cached vendor/lib"), "{words}");
    assert!(!words.contains("s3cret"), "{words}");

    scene.library("empty", |_| ());
    let error = scene.failing(&scene.url("empty"));
    assert!(
        matches!(error.fault(), SubmoduleFault::Fetch(words) if words.contains("not our ref")),
        "{error}"
    );
}

#[test]
fn a_submodule_that_would_take_of_the_reserve_is_not_fetched() {
    let scene = Scene::new();
    let library = scene.library("lib", |_| ());
    let commit = refer(&scene.work, "lib", Some(&scene.url("lib")), library);
    let limits = SubmoduleLimits { reserve_bytes: u64::MAX, ..SubmoduleLimits::default() };
    let error = scene.source_within(commit, &limits).0.unwrap_err();
    assert!(error.is_for_room() && error.to_string().contains("in reserve"), "{error}");
}

#[test]
fn addresses_that_are_not_public_web_addresses_are_refused_unasked() {
    let scene = Scene::new();
    for (url, expected) in [
        ("../other.git", "its address is relative"),
        ("git@example.org:me/lib.git", "does not begin with https://"),
        ("file:///etc", "does not begin with https://"),
        ("ssh://example.org/lib", "does not begin with https://"),
    ] {
        let error = scene.failing(url);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().contains("git submodule set-url vendor/lib https://"), "{}", error.hint());
    }
    scene.work.git(&["rm", "-q", "-r", "--cached", "."]);
    std::fs::remove_file(scene.work.path.join(".gitmodules")).unwrap();
    let commit = refer(&scene.work, "vendor/lib", None, "1".repeat(40).parse().unwrap());
    let (source, _) = scene.source(commit);
    let error = source.unwrap_err().to_string();
    assert!(error.contains(".gitmodules does not say where it is"), "{error}");
}

/// A server that never answers, and the users of those who have called it.
fn silent_server() -> (String, mpsc::Receiver<(u32, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/lib.git", listener.local_addr().unwrap());
    let (sender, callers) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let caller = user_behind(stream.peer_addr().unwrap().port());
            if sender.send((caller, stream)).is_err() {
                return;
            }
        }
    });
    (url, callers)
}

/// Returns whose the connection is that has this port on its side, as proc(5) tells it.
fn user_behind(port: u16) -> u32 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.find(|row| row[1].ends_with(&local)).unwrap()[7].parse().unwrap()
}

/// Returns how many directories of tasks there are among the repositories.
fn scratch_directories(scene: &Scene) -> usize {
    let repository = scene.platform.repository();
    let entries = std::fs::read_dir(repository.path().parent().unwrap()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".scratch")).count()
}

#[test]
fn git_asks_strangers_as_the_apps_user_and_one_that_is_cut_short_leaves_nothing() {
    let scene = Scene::new();
    let (url, callers) = silent_server();
    let commit = refer(&scene.work, "vendor/lib", Some(&url), "1".repeat(40).parse().unwrap());
    scene.work.git(&["push", "-q", "paas", "main"]);
    let (fetcher, repository) = (scene.fetcher(), scene.platform.repository());
    let into = scene.platform.dir.path().join("source");
    let fetching = scene.platform.runtime.spawn(async move {
        let limits = (&ExportLimits::default(), &SubmoduleLimits::default());
        fetcher.source(&repository, commit, &into, limits, &|_| ()).await
    });
    let (caller, mut connection) = callers.recv_timeout(Duration::from_secs(30)).unwrap();
    let own = rustix::process::geteuid();
    assert_eq!(caller, if own.is_root() { UID } else { own.as_raw() });
    assert_eq!(scratch_directories(&scene), 1);

    fetching.abort();
    // The end of git is the end of its connection.
    connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    connection.read_to_end(&mut Vec::new()).unwrap();
    support::eventually("the end of the directory", || scratch_directories(&scene) == 0);
}

#[test]
fn git_that_takes_too_long_is_ended() {
    let scene = Scene::new();
    let (url, _callers) = silent_server();
    let commit = refer(&scene.work, "vendor/lib", Some(&url), "1".repeat(40).parse().unwrap());
    let limits = SubmoduleLimits { time: Duration::from_secs(1), ..SubmoduleLimits::default() };
    let error = scene.source_within(commit, &limits).0.unwrap_err().to_string();
    assert!(error.contains("it took longer than 1 s"), "{error}");
    assert_eq!(scratch_directories(&scene), 0);
}

#[test]
fn a_submodule_larger_than_it_may_be_is_not_fetched() {
    let scene = Scene::new();
    let mut state = 1_u32;
    let noise = (0..3_000_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let noise: Vec<u8> = noise.collect();
    let library = scene.library("lib", |work| work.write("noise", &noise));
    let commit = refer(&scene.work, "lib", Some(&scene.url("lib")), library);
    let limits = SubmoduleLimits { bytes: 1_000_000, ..SubmoduleLimits::default() };
    let error = scene.source_within(commit, &limits).0.unwrap_err().to_string();
    assert!(error.contains("it is larger than 1 MB, the limit here"), "{error}");
}

#[test]
fn a_proxy_that_is_set_up_is_asked() {
    let scene = Scene::new();
    let (server, callers) = silent_server();
    let url = "http://lib.invalid/lib.git";
    let commit = refer(&scene.work, "vendor/lib", Some(url), "1".repeat(40).parse().unwrap());
    scene.work.git(&["push", "-q", "paas", "main"]);
    let environment =
        BTreeMap::from([("http_proxy".to_owned(), server.trim_end_matches("/lib.git").to_owned())]);
    let fetcher = Fetcher { environment, ..scene.fetcher() };
    let (repository, into) = (scene.platform.repository(), scene.platform.dir.path().join("source"));
    let fetching = scene.platform.runtime.spawn(async move {
        let limits = (&ExportLimits::default(), &SubmoduleLimits::default());
        fetcher.source(&repository, commit, &into, limits, &|_| ()).await
    });
    let (_, mut connection) = callers.recv_timeout(Duration::from_secs(30)).unwrap();
    let mut asked = [0; 30];
    connection.read_exact(&mut asked).unwrap();
    assert_eq!(String::from_utf8_lossy(&asked), "GET http://lib.invalid/lib.git");
    fetching.abort();
    support::eventually("the end of the directory", || scratch_directories(&scene) == 0);
}
