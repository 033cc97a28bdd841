//! What the log says about detection, and the same as data.

use build::{FailureKind, detect_locally};
use insta::assert_snapshot;

use crate::world::App;

/// Returns the part of a log that explains detection.
fn explained(log: &str) -> String {
    let lines = log.lines().skip_while(|line| !line.starts_with("-----> Detecting")).skip(1);
    lines.take_while(|line| !line.starts_with("----->")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_static_site_is_found_after_python_was_not() {
    let ended = App::new().push(&[("public/index.html", "<p>"), ("Procfile", "worker: true")]).await;
    assert_snapshot!(explained(&ended.log), @r"
           python    not found  uv.lock, poetry.lock, Pipfile.lock, requirements.txt, pyproject.toml,
                                Pipfile, setup.py, manage.py, app.py, main.py, wsgi.py, asgi.py, server.py,
                                .python-version
                     therefore  it does not apply: there is neither a list of packages nor an entry file
           static    found      public/index.html (a site in public/)
                     not found  static.json, index.html, dist/index.html, package.json
                     therefore  it applies: the files in public/ are the site
           procfile  found      Procfile (names the commands)
                     therefore  it applies: the Procfile says what to run, and the app brings what it needs
           => static: the first that applies; procfile applies too: set one with `paasctl buildpacks:set` to choose
    ");
    assert_eq!(ended.output().trace.attempts.len(), 3);
    assert_eq!(ended.web(), ".paas/bin/static-server --root public");
    assert_eq!(ended.output().manifest.processes.len(), 2);
}

#[tokio::test]
async fn an_app_with_a_procfile_alone_brings_its_own_executable() {
    let files =
        [("Procfile", "web: bin/sérver --port $PORT\nworker: ./missing\n"), ("bin/sérver", "#!/bin/sh\n")];
    let ended = App::new().push(&files).await;
    assert!(ended.log.contains("web starts bin/sérver, which is there and executable"), "{}", ended.log);
    assert!(ended.log.contains("worker starts `./missing`, which is not in the source"), "{}", ended.log);
    assert_eq!(ended.web(), "bin/sérver --port $PORT");
    assert_eq!(ended.output().manifest.buildpacks, [("procfile".to_owned(), "1.0.0".to_owned())]);
}

#[tokio::test]
async fn no_match_shows_every_attempt_and_the_nearest_miss() {
    let ended = App::new().push(&[("requirement.txt", "flask\n"), ("app.py", "x = 1\n")]).await;
    assert_snapshot!(explained(&ended.log), @r"
           python    found      requirement.txt (is not the name that is read)
                     found      app.py (Python code)
                     not found  uv.lock, poetry.lock, Pipfile.lock, requirements.txt, pyproject.toml,
                                Pipfile, setup.py, manage.py
                     therefore  it does not apply: requirement.txt is not read under this name; requirements.txt is
           static    not found  static.json, index.html, dist/index.html, public/index.html
                     therefore  it does not apply: there is no page to serve
           procfile  not found  Procfile
                     therefore  it does not apply: nothing says which commands to run
           => none: no buildpack applies to this source
     !     no buildpack applies to this source
     !     `requirement.txt` looks like `requirements.txt`, which python reads: rename it with `git mv requirement.txt requirements.txt` and push again
    ");
    assert_eq!(ended.failure().kind, FailureKind::NoMatch);
    assert_eq!(ended.failure().trace.attempts.len(), 3);
}

#[tokio::test]
async fn a_buildpack_that_is_set_has_to_apply_and_to_exist() {
    let mut app = App::new();
    app.buildpacks = vec!["heroku/python".into()];
    let ended = app.push(&[("index.html", "<p>")]).await;
    assert!(
        ended.failure().reason.contains("`python` is set for this app and does not apply"),
        "{:?}",
        ended.failure()
    );
    app.buildpacks = vec!["fortran".into()];
    let unknown = app.push(&[("index.html", "<p>")]).await;
    assert_eq!(
        unknown.failure().reason,
        "this platform has no buildpack `fortran`; it has python, static, procfile"
    );
}

#[tokio::test]
async fn set_buildpacks_run_in_order_and_the_last_one_gives_the_process_types() {
    let mut app = App::new();
    app.buildpacks = vec!["python".into(), "static".into()];
    let ended = app.push(&[("index.html", "<p>"), ("requirements.txt", "itsdangerous\n")]).await;
    assert_eq!(ended.output().manifest.buildpacks.len(), 2);
    assert!(ended.output().manifest.packages.contains_key("itsdangerous"));
    assert!(ended.web().contains("static-server"), "{}", ended.log);
}

#[tokio::test]
async fn the_cli_detects_the_same_without_a_server() {
    let mut app = App::new();
    let files = [("requirements.txt", ""), ("index.html", ""), ("Procfile", "web: python x.py\n")];
    let request = app.request(&files);
    let local = detect_locally(&request.source).unwrap();
    let ended = app.run(request).await;
    let pushed = &ended.output().trace;
    assert_eq!(
        (&local.attempts, &local.chosen, &local.because),
        (&pushed.attempts, &pushed.chosen, &pushed.because)
    );
    assert_eq!(local.processes, pushed.processes);
    assert!(local.because.contains("static and procfile apply too"), "{}", local.because);
}
