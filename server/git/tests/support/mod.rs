//! A server as the real one wires it, over HTTP on this machine, and a real git client to talk to it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use git::{Fate, PushReply, PushRequest, Repositories, Repository, Request, ServeLimits, Service};
use tempfile::TempDir;

pub const LIMIT: u64 = 8 << 20;

/// A push that waits for an answer.
pub struct Push {
    pub repository: Repository,
    pub request: PushRequest,
    pub reply: PushReply,
}

impl Push {
    /// Does as it is asked to.
    pub async fn accept(self) {
        let fates = self.repository.store(&self.request.updates, self.request.atomic).await;
        self.end(fates).await;
    }

    /// Moves nothing.
    pub async fn refuse(self, why: &str) {
        let fates = self.request.updates.iter().map(|_| Err(why.to_owned())).collect();
        self.end(fates).await;
    }

    pub async fn end(self, fates: Vec<Fate>) {
        self.repository.forget_push(&self.request).await;
        self.reply.finish(fates).await;
    }
}

pub type Answer = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Shared {
    repositories: Repositories,
    answer: Box<dyn Fn(Push) -> Answer + Send + Sync>,
    gzipped: AtomicUsize,
    limit: u64,
}

pub struct Platform {
    pub dir: TempDir,
    pub url: String,
    shared: Arc<Shared>,
    pub runtime: tokio::runtime::Runtime,
}

impl Platform {
    /// Starts a server that answers each push by `answer`, with one empty repository, `app`.
    pub fn start<F: Future<Output = ()> + Send + 'static>(
        answer: impl Fn(Push) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(LIMIT, answer)
    }

    /// The same with another limit on the size of a push.
    pub fn start_with<F: Future<Output = ()> + Send + 'static>(
        limit: u64,
        answer: impl Fn(Push) -> F + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _inside = runtime.enter();
        let repositories = Repositories::open(&dir.path().join("repos")).unwrap();
        repositories.create("app", "main").unwrap();
        let answer = Box::new(move |push| -> Answer { Box::pin(answer(push)) });
        let shared = Arc::new(Shared { repositories, answer, gzipped: AtomicUsize::new(0), limit });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/{app}/info/refs", get(info_refs))
            .route("/{app}/{service}", post(call))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { dir, url, shared, runtime }
    }

    /// A server that accepts everything.
    pub fn accepting() -> Self {
        Self::start(Push::accept)
    }

    pub fn repository(&self) -> Repository {
        self.shared.repositories.repository("app").unwrap()
    }

    pub fn repositories(&self) -> &Repositories {
        &self.shared.repositories
    }

    pub fn app_url(&self) -> String {
        format!("{}/app.git", self.url)
    }

    pub fn gzipped_requests(&self) -> usize {
        self.shared.gzipped.load(Ordering::Relaxed)
    }

    /// A new work tree with the remote `paas`.
    pub fn work(&self, name: &str) -> Work {
        let work = Work { path: self.dir.path().join(name) };
        std::fs::create_dir(&work.path).unwrap();
        work.git(&["init", "-q", "-b", "main"]);
        work.git(&["remote", "add", "paas", &self.app_url()]);
        work
    }
}

fn app(shared: &Shared, path: &str) -> Option<Repository> {
    let repository = shared.repositories.repository(path.strip_suffix(".git")?).ok()?;
    repository.exists().then_some(repository)
}

#[derive(serde::Deserialize)]
struct Wanted {
    service: String,
}

async fn info_refs(
    State(shared): State<Arc<Shared>>,
    UrlPath(path): UrlPath<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let Some(service) = Service::parse(&wanted.service) else { return StatusCode::FORBIDDEN.into_response() };
    let kind = [(header::CONTENT_TYPE, format!("application/x-{}-advertisement", service.name()))];
    let Some(repository) = app(&shared, &path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (kind, git::advertise(&repository, service, protocol(&headers)).await.unwrap()).into_response()
}

async fn call(
    State(shared): State<Arc<Shared>>,
    UrlPath((path, service)): UrlPath<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (Some(service), Some(repository)) = (Service::parse(&service), app(&shared, &path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let gzip = headers.get(header::CONTENT_ENCODING).is_some_and(|value| value == "gzip");
    shared.gzipped.fetch_add(usize::from(gzip), Ordering::Relaxed);
    let request =
        Request { git_protocol: protocol(&headers).map(str::to_owned), gzip, body: body.into_data_stream() };
    let limits = ServeLimits { body_bytes: shared.limit, ..ServeLimits::default() };
    let answer = match service {
        Service::UploadPack => git::serve(&repository, request, limits).unwrap(),
        Service::ReceivePack => {
            let (answer, push) = git::receive(&repository, request, limits);
            let asked = shared.clone();
            tokio::spawn(async move {
                if let Ok((request, reply)) = push.await {
                    (asked.answer)(Push { repository, request, reply }).await;
                }
            });
            answer
        }
    };
    let kind = [(header::CONTENT_TYPE, format!("application/x-{}-result", service.name()))];
    (kind, Body::from_stream(answer)).into_response()
}

fn protocol(headers: &HeaderMap) -> Option<&str> {
    headers.get("git-protocol").and_then(|value| value.to_str().ok())
}

/// A work tree of somebody who pushes.
pub struct Work {
    pub path: PathBuf,
}

impl Work {
    pub fn command(&self) -> Command {
        git_command(&self.path)
    }

    /// Runs git and returns what it printed; panics with its words where it fails.
    pub fn git(&self, args: &[&str]) -> String {
        let output = self.try_git(args);
        assert!(output.status.success(), "git {args:?}: {}", words(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn try_git(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits everything and returns the commit.
    pub fn commit(&self, message: &str) -> git::ObjectId {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }
}

/// git as a user has it, without this machine's settings.
pub fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.org");
    }
    command
}

/// What git told the user.
pub fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for a condition.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        std::thread::yield_now();
    }
}
