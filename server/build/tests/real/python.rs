//! Python apps from each kind of source, and their default web processes.

use build::FailureKind;

use crate::world::{App, FLASK};

const WHEEL: &str = "sha256:c6242fc49e35958c8b15141343aa660db5fc54d4f13a1db01a3f5891b98700ef";
const POETRY_PROJECT: &str = r#"[project]
name = "shop"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["itsdangerous (==2.2.0)"]

[tool.poetry]
package-mode = false
"#;

fn poetry_lock() -> String {
    format!(
        r#"[[package]]
name = "itsdangerous"
version = "2.2.0"
description = ""
optional = false
python-versions = ">=3.8"
groups = ["main"]
files = [{{file = "itsdangerous-2.2.0-py3-none-any.whl", hash = "{WHEEL}"}}]

[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "b39a12f4c915d0aafd9e3d2cf18e29cae169a2a22fb3b6ae22cdc9667e11a3cf"
"#
    )
}

fn pipfile_lock(hash: &str) -> String {
    format!(
        r#"{{"_meta": {{"requires": {{"python_version": "3"}}, "sources": []}},
            "default": {{"itsdangerous": {{"version": "==2.2.0", "hashes": ["{hash}"]}}}}, "develop": {{}}}}"#
    )
}

#[tokio::test]
async fn a_project_locked_by_uv_is_a_package_installed_where_it_was_pushed() {
    let project = "[project]\nname = \"shop\"\nversion = \"0.1\"\nrequires-python = \">=3.11\"\n\
                   dependencies = [\"itsdangerous==2.2.0\", \"uvicorn\"]\n\
                   [build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n";
    let files = [
        ("pyproject.toml", project),
        ("src/shop/__init__.py", ""),
        ("main.py", "from starlette import x\napp = 1\n"),
    ];
    let mut app = App::new();
    let request = app.request(&files);
    app.lock(&request.source);
    let first = app.run(request).await;
    let packages = &first.output().manifest.packages;
    assert_eq!((packages["itsdangerous"].as_str(), packages["shop"].as_str()), ("2.2.0", "0.1"));
    assert_eq!(first.web(), "uvicorn main:app --host 0.0.0.0 --port $PORT");
    let request = app.request(&files);
    app.lock(&request.source);
    let second = app.run(request).await;
    assert!(second.log.contains("taken from the last build"), "{}", second.log);
    assert_eq!(first.output().slug.digest, second.output().slug.digest);
}

#[tokio::test]
async fn a_lock_file_that_no_longer_fits_its_project_is_refused_with_what_to_run() {
    let project =
        "[project]\nname = \"shop\"\nversion = \"0.1\"\nrequires-python = \">=3.11\"\ndependencies = []\n";
    let mut app = App::new();
    let request = app.request(&[("pyproject.toml", project)]);
    app.lock(&request.source);
    let changed = project.replace("[]", "[\"itsdangerous\"]");
    std::fs::write(request.source.join("pyproject.toml"), changed).unwrap();
    let ended = app.run(request).await;
    assert!(ended.failure().hint.as_ref().unwrap().contains("run `uv lock`"), "{}", ended.log);
}

#[tokio::test]
async fn poetry_reads_its_own_lock_file_and_its_version_is_pinned() {
    let mut app = App::new();
    let lock = poetry_lock();
    let ended = app.push(&[("pyproject.toml", POETRY_PROJECT), ("poetry.lock", &lock)]).await;
    assert_eq!(ended.output().manifest.packages["itsdangerous"], "2.2.0");
    assert!(app.pins["poetry"].version.contains('+'), "{:?}", app.pins);
    assert!(ended.output().trace.versions.iter().any(|version| version.name == "poetry"));
}

#[tokio::test]
async fn a_list_locked_by_pipenv_is_installed_with_its_hashes() {
    let mut app = App::new();
    let good = app.push(&[("Pipfile.lock", &pipfile_lock(WHEEL))]).await;
    assert_eq!(good.output().manifest.packages["itsdangerous"], "2.2.0");
    let bad = app.push(&[("Pipfile.lock", &pipfile_lock(&format!("sha256:{}", "0".repeat(64))))]).await;
    assert_eq!(bad.failure().reason, "the packages of Pipfile.lock could not be installed");
    assert!(bad.log.to_lowercase().contains("hash"), "{}", bad.log);
}

#[tokio::test]
async fn a_pipfile_without_its_lock_is_refused() {
    let ended = App::new().push(&[("Pipfile", "[packages]\nflask = \"*\"\n")]).await;
    assert_eq!(ended.failure().reason, "there is a Pipfile and no Pipfile.lock");
}

#[tokio::test]
async fn a_project_without_a_lock_is_resolved_and_says_so() {
    let project = "[project]\nname = \"shop\"\nversion = \"0.1\"\ndependencies = [\"itsdangerous<2.2\"]\n";
    let mut app = App::new();
    let ended = app.push(&[("pyproject.toml", project)]).await;
    assert!(ended.log.contains("There is no lock file"), "{}", ended.log);
    assert_eq!(ended.output().manifest.packages["itsdangerous"], "2.1.2");
    assert_eq!(app.pins["python-packages"].version, "itsdangerous==2.1.2");
}

#[tokio::test]
async fn of_two_lists_one_is_read_and_the_other_is_named() {
    let mut app = App::new();
    let pipfile = pipfile_lock(WHEEL);
    let ended = app.push(&[("Pipfile.lock", &pipfile), ("requirements.txt", "flask\n")]).await;
    assert!(
        ended.log.contains("requirements.txt is not read, since Pipfile.lock comes first"),
        "{}",
        ended.log
    );
    assert!(!ended.output().manifest.packages.contains_key("flask"));
}

#[tokio::test]
async fn packages_come_from_the_index_that_a_config_var_of_pip_names() {
    let mut app = App::new();
    app.set("PIP_INDEX_URL", "http://127.0.0.1:9/simple");
    let request = app.request(&[("requirements.txt", "itsdangerous==2.2.0\n"), ("main.py", "")]);
    let ended = app.run(request).await;
    assert!(ended.result.is_err(), "{}", ended.log);
    assert!(ended.log.contains("[hidden: PIP_INDEX_URL]/itsdangerous"), "{}", ended.log);
}

#[tokio::test]
async fn a_misspelt_line_is_shown_with_what_to_do() {
    let mut app = App::new();
    let ended = app.push(&[("requirements.txt", "flask ===> 3\n"), ("app.py", FLASK)]).await;
    let failure = ended.failure();
    assert_eq!(failure.kind, FailureKind::Compile { buildpack: "python".into(), status: 1 });
    assert!(failure.hint.as_ref().unwrap().contains("correct requirements.txt"), "{failure:?}");
    assert!(ended.log.contains("flask ===> 3"), "{}", ended.log);
    assert!(failure.trace.attempts.len() == 3 && app.pins.is_empty());
}

#[tokio::test]
async fn a_web_process_that_misses_only_its_server_is_told_which_line_to_add() {
    let mut app = App::new();
    let ended = app.push(&[("requirements.txt", "itsdangerous\n"), ("app.py", FLASK)]).await;
    assert_eq!(ended.web(), "");
    assert!(
        ended.log.contains("gunicorn is not among the packages; add the line `gunicorn` to requirements.txt"),
        "{}",
        ended.log
    );
}

const SETTINGS: &str = "import os\nfrom pathlib import Path\nBASE_DIR = Path(__file__).parent.parent\nSECRET_KEY = os.environ['SECRET_KEY']\n\
                        INSTALLED_APPS = ['django.contrib.staticfiles']\nSTATIC_URL = 'static/'\nSTATIC_ROOT = BASE_DIR / 'collected'\n\
                        STATICFILES_DIRS = [BASE_DIR / 'assets']\n";
const MANAGE: &str = "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n\
                      from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n";

#[tokio::test]
async fn a_django_project_gets_its_static_files_collected_with_its_config() {
    let mut app = App::new();
    let files = [
        ("requirements.txt", "django\ngunicorn\n"),
        ("manage.py", MANAGE),
        ("shop/__init__.py", ""),
        ("shop/settings.py", SETTINGS),
        ("shop/wsgi.py", ""),
        ("assets/site.css", "a{}"),
    ];
    let without = app.push(&files).await;
    assert_eq!(without.failure().reason, "manage.py collectstatic failed with status 1");
    assert!(
        without.failure().hint.as_ref().unwrap().contains("paasctl config:set"),
        "{:?}",
        without.failure()
    );

    app.set("SECRET_KEY", "not for the log");
    let request = app.request(&files);
    let source = request.source.clone();
    let with = app.run(request).await;
    assert!(with.log.contains("1 static file copied"), "{}", with.log);
    assert!(source.join("collected/site.css").exists());
    assert_eq!(with.web(), "gunicorn --bind 0.0.0.0:$PORT shop.wsgi");
}
