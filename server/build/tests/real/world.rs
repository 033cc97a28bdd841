//! A host for real builds: real sandboxes, real uv, real package index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use build::{
    BuildFailure, BuildLimits, BuildLog, BuildOutput, BuildRequest, Builder, Tools, build_environment,
};
use model::config::ConfigVars;
use model::id::{AppId, BuildId};
use model::pins::Pins;
use sandbox::{HostFacts, Identity};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// One app with its cache and pins.
pub(crate) struct App {
    pub(crate) dir: TempDir,
    pub(crate) host: Arc<HostFacts>,
    pub(crate) builder: Builder,
    pub(crate) pins: Pins,
    pub(crate) config: ConfigVars,
    pub(crate) limits: BuildLimits,
    pub(crate) buildpacks: Vec<String>,
    pub(crate) cancel: CancellationToken,
    builds: u32,
}

/// A build that has ended, and its log.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<BuildOutput, BuildFailure>,
    pub(crate) log: String,
    pub(crate) build: BuildId,
}

impl Ended {
    pub(crate) fn output(&self) -> &BuildOutput {
        match &self.result {
            Ok(output) => output,
            Err(failure) => panic!("the build failed: {failure:?}\n{}", self.log),
        }
    }

    pub(crate) fn failure(&self) -> &BuildFailure {
        self.result.as_ref().expect_err(&self.log)
    }

    pub(crate) fn web(&self) -> String {
        self.output().manifest.processes.get("web").cloned().unwrap_or_default()
    }
}

impl App {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = Arc::new(HostFacts::detect(&dir.path().join("etc")).unwrap());
        let tools = Tools::new(Some(uv()), Some("/bin/true".into()));
        Self {
            builder: Builder::new(Arc::clone(&host), tools),
            host,
            dir,
            pins: Pins::new(),
            config: ConfigVars::default(),
            limits: BuildLimits { seconds: 120, ..BuildLimits::default() },
            buildpacks: Vec::new(),
            cancel: CancellationToken::new(),
            builds: 0,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.config = self.config.changed([(name.parse().unwrap(), Some(value.into()))]).unwrap();
    }

    /// Builds a source of these files; a name that starts with `bin/` is executable. Keeps the pins.
    pub(crate) async fn push(&mut self, files: &[(&str, &str)]) -> Ended {
        let request = self.request(files);
        self.run(request).await
    }

    pub(crate) async fn run(&mut self, request: BuildRequest) -> Ended {
        let build = request.build;
        let path = request.work_dir.join("log");
        let log = BuildLog::open(&path, &request.config).unwrap();
        let result = self.builder.run(request, &log, self.cancel.clone()).await;
        log.end();
        if let Ok(output) = &result {
            self.pins.extend(output.pins.clone());
        }
        let log = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        if std::env::var_os("SHOW_LOGS").is_some() {
            std::io::Write::write_all(&mut std::io::stderr(), log.as_bytes()).unwrap();
        }
        Ended { result, log, build }
    }

    /// Writes the source's uv.lock, as its developer would.
    pub(crate) fn lock(&self, source: &Path) {
        let mut command = Command::new(uv());
        command.args(["lock", "--quiet", "--python", "/usr/bin/python3"]).current_dir(source);
        assert!(command.env("UV_CACHE_DIR", self.dir.path().join("uv")).status().unwrap().success());
    }

    pub(crate) fn request(&mut self, files: &[(&str, &str)]) -> BuildRequest {
        self.builds += 1;
        let work = self.dir.path().join(format!("build-{}", self.builds));
        let source = work.join("app");
        fs::create_dir_all(&source).unwrap();
        files.iter().for_each(|(name, content)| write(&source, name, content));
        BuildRequest {
            build: BuildId::new(),
            app: AppId::new(),
            app_name: "shop".parse().unwrap(),
            identity: Identity::new(250_001, 250_001),
            source,
            commit: "3ca0fad1c2b3a4958675".into(),
            branch: "main".into(),
            config: self.config.clone(),
            pins: self.pins.clone(),
            stack: model::stack::BuildStack::Buildpacks,
            buildpacks: self.buildpacks.clone(),
            cache_dir: self.dir.path().join("cache"),
            work_dir: work,
            limits: self.limits,
            build_env: build_environment(std::env::vars()),
            clear_cache: false,
        }
    }
}

fn write(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    if name.starts_with("bin/") {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Returns uv: the one of this machine, or one fetched from the package index into the target directory, once.
fn uv() -> PathBuf {
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(uv) = Tools::find(tools).uv() {
        return uv.to_owned();
    }
    fs::create_dir_all(tools).unwrap();
    let lock = fs::File::create(tools.join("uv.lock")).unwrap();
    lock.lock().unwrap();
    let directory = tools.join("uv");
    if !directory.join("bin/uv").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&directory).arg("uv");
        assert!(pip.status().unwrap().success(), "uv could not be fetched");
    }
    directory.join("bin/uv")
}

pub(crate) const FLASK: &str =
    "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef hello():\n    return 'hello'\n";
