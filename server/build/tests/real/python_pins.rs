//! What is pinned stays until it is asked for otherwise.

use model::pins::Pin;

use crate::world::{App, FLASK};

#[tokio::test]
async fn an_unpinned_list_is_built_the_same_with_a_warm_and_a_cold_cache() {
    let mut app = App::new();
    let files = [("requirements.txt", "flask\ngunicorn\n"), ("app.py", FLASK)];
    let first = app.push(&files).await;
    assert_eq!(first.web(), "gunicorn --bind 0.0.0.0:$PORT app:app");
    assert!(first.output().manifest.packages.contains_key("werkzeug"), "{:?}", first.output().manifest);
    let warm = app.push(&files).await;
    assert!(warm.log.contains("taken from the last build"), "{}", warm.log);
    std::fs::remove_dir_all(app.dir.path().join("cache")).unwrap();
    let cold = app.push(&files).await;
    assert!(!cold.log.contains("taken from the last build"), "{}", cold.log);
    assert_eq!(first.output().slug.digest, warm.output().slug.digest);
    assert_eq!(first.output().slug.digest, cold.output().slug.digest);
    assert_eq!(warm.output().manifest.packages, cold.output().manifest.packages);
}

#[tokio::test]
async fn a_changed_list_moves_only_what_changed_and_an_upgrade_moves_all() {
    let mut app = App::new();
    let old = Pin {
        version: "itsdangerous==2.1.2".into(),
        requested: Some("another list".into()),
        origin: "requirements.txt".into(),
    };
    app.pins.insert("python-packages".into(), old);
    let files = [("requirements.txt", "itsdangerous\niniconfig\n")];
    let ended = app.push(&files).await;
    assert!(ended.log.contains("versions that still fit stay as they were pinned"), "{}", ended.log);
    assert_eq!(ended.output().manifest.packages["itsdangerous"], "2.1.2");
    assert!(ended.output().manifest.packages.contains_key("iniconfig"));

    app.pins.remove("python-packages");
    let upgraded = app.push(&files).await;
    assert_ne!(upgraded.output().manifest.packages["itsdangerous"], "2.1.2");
    // What was kept and no longer fits leaves no trace in the slug.
    std::fs::remove_dir_all(app.dir.path().join("cache")).unwrap();
    let cold = app.push(&files).await;
    assert_eq!(upgraded.output().slug.digest, cold.output().slug.digest);
}

#[tokio::test]
async fn the_stack_has_one_python_and_another_is_refused_with_what_to_write() {
    let mut app = App::new();
    let ended = app.push(&[(".python-version", "3.9.1\n"), ("requirements.txt", "")]).await;
    let failure = ended.failure();
    assert!(failure.reason.starts_with("Python 3.9.1 is not on this stack, which has 3."), "{failure:?}");
    assert!(failure.hint.as_ref().unwrap().contains(".python-version"), "{failure:?}");
    let nonsense = app.push(&[(".python-version", "latest\n"), ("requirements.txt", "")]).await;
    assert!(nonsense.failure().reason.contains("asks for `latest`"), "{:?}", nonsense.failure());
}

#[tokio::test]
async fn the_file_that_asks_for_a_python_is_named_and_a_lost_patch_version_is_told() {
    let mut app = App::new();
    let first = app.push(&[("runtime.txt", "python-3.11\n"), ("requirements.txt", "")]).await;
    let python =
        first.output().trace.versions.iter().find(|version| version.name == "python").unwrap().clone();
    assert_eq!(
        (python.requested.as_deref(), python.origin.as_str(), python.pinned),
        (Some("3.11"), "runtime.txt", false)
    );
    assert!(first.log.contains("move `3.11` to a file .python-version"), "{}", first.log);

    app.pins.get_mut("python").unwrap().version = "3.11.1".into();
    let moved = app.push(&[("runtime.txt", "python-3.11\n"), ("requirements.txt", "")]).await;
    assert!(
        moved.log.contains("Python 3.11.1 was pinned and is not on this stack any more"),
        "{}",
        moved.log
    );
    assert_eq!(app.pins["python"].version, python.version);
}

#[tokio::test]
async fn another_uv_than_the_platforms_is_fetched_while_it_is_pinned() {
    let mut app = App::new();
    app.pins.insert(
        "uv".into(),
        Pin { version: "0.9.5".into(), requested: None, origin: "an earlier build".into() },
    );
    let ended = app.push(&[("requirements.txt", "itsdangerous\n")]).await;
    assert!(ended.log.contains("Fetching uv 0.9.5, which is pinned"), "{}", ended.log);
    assert_eq!(app.pins["uv"].version, "0.9.5");
    let uv = ended.output().trace.versions.iter().find(|version| version.name == "uv").unwrap();
    assert!(uv.pinned && uv.newer.is_some(), "{uv:?}");
}

#[test]
fn a_version_is_compared_as_the_tool_that_asks_means_it() {
    let cases = [
        ("3.11", true),
        ("3.1", false),
        (">=3.10,<4", true),
        (">= 3.10, < 3.11", false),
        ("^3.10", true),
        ("~3.11", true),
        ("~=3.10", true),
        ("~=3.11.3", false),
        ("==3.11.*", true),
        ("!=3.11.2,>=3", false),
        ("3.9 || ^3.11", true),
        ("*", true),
        ("", true),
    ];
    let library = concat!(env!("CARGO_MANIFEST_DIR"), "/../../buildpacks/python/lib");
    let program = "import sys; sys.path.insert(0, sys.argv[1]); from versions import meets\n\
                   print('\\n'.join(str(meets('3.11.2', wanted)) for wanted in sys.argv[2:]))";
    let mut python = std::process::Command::new("/usr/bin/python3");
    python.args(["-B", "-c", program, library]).args(cases.map(|(wanted, _)| wanted));
    let told = String::from_utf8(python.output().unwrap().stdout).unwrap();
    let told: Vec<_> = told.lines().map(|line| line == "True").collect();
    assert_eq!(told, cases.map(|(_, meets)| meets));
}

#[tokio::test]
async fn an_environment_that_grew_is_the_same_as_one_made_afresh() {
    let mut app = App::new();
    let list = |lines: &'static str| [("requirements.txt", lines), ("app.py", FLASK)];
    app.push(&list("flask==3.0.3\ngunicorn==22.0.0\nitsdangerous==2.2.0\nsix==1.16.0\n")).await;
    let changed = list("flask==3.0.3\ngunicorn==22.0.0\nitsdangerous==2.1.2\niniconfig==2.0.0\n");
    let grown = app.push(&changed).await;
    assert!(grown.log.contains("The list has changed"), "{}", grown.log);
    assert!(grown.log.contains("Uninstalled 2 packages"), "it did not grow: {}", grown.log);
    let installed = &grown.output().manifest.packages;
    assert_eq!((installed["itsdangerous"].as_str(), installed.contains_key("six")), ("2.1.2", false));
    std::fs::remove_dir_all(app.dir.path().join("cache")).unwrap();
    let fresh = app.push(&changed).await;
    assert_eq!(grown.output().slug.digest, fresh.output().slug.digest);
}

/// Says its port, and gives a wheel to who knows the password.
const PRIVATE: &str = r#"
import base64, http.server, io, zipfile
wheel = io.BytesIO()
with zipfile.ZipFile(wheel, "w") as file:
    info = "demo-1.0.dist-info/"
    file.writestr("demo.py", "x = 1\n")
    file.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    file.writestr(info + "RECORD", "demo.py,,\n" + "".join(info + name + ",,\n" for name in ("METADATA", "WHEEL", "RECORD")))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("Authorization") == "Basic " + base64.b64encode(b"me:s3cret").decode()
        body = wheel.getvalue() if known else b""
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

#[tokio::test]
async fn a_list_with_a_private_address_is_built_again_without_its_cache_and_its_pin_has_no_password() {
    let mut server = std::process::Command::new("/usr/bin/python3")
        .args(["-c", PRIVATE])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut port)
        .unwrap();
    let list = format!("demo @ http://me:${{TOKEN}}@127.0.0.1:{}/demo-1.0-py3-none-any.whl\n", port.trim());
    let mut app = App::new();
    app.set("TOKEN", "s3cret");
    let files = [("requirements.txt", list.as_str()), ("Procfile", "web: python -m demo\n")];
    let first = app.push(&files).await;
    assert!(first.output().manifest.packages.contains_key("demo"), "{}", first.log);
    assert_eq!(app.pins["python-packages"].version.trim(), list.trim());
    std::fs::remove_dir_all(app.dir.path().join("cache")).unwrap();
    let cold = app.push(&files).await;
    assert_eq!(first.output().slug.digest, cold.output().slug.digest);
    server.kill().unwrap();
    server.wait().unwrap();
}
