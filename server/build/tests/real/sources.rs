//! Sources of all sorts: ignored files, links that lead out, names in any script, bad Procfiles.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use build::FailureKind;

use crate::world::App;

#[tokio::test]
async fn what_slugignore_names_is_gone_before_detection_looks() {
    let mut app = App::new();
    let files = [
        ("Procfile", "web: true"),
        ("requirements.txt", "flask"),
        (".slugignore", "/requirements.txt\n*.psd\n"),
        ("a/b.psd", ""),
    ];
    let ended = app.push(&files).await;
    assert!(ended.log.contains("Left out by .slugignore: 2 files and directories"), "{}", ended.log);
    assert_eq!(ended.output().trace.chosen.as_deref(), Some("procfile"));
}

#[tokio::test]
async fn links_that_lead_out_of_the_source_are_neither_read_nor_followed() {
    let mut app = App::new();
    let outside = app.dir.path().join("secret");
    std::fs::write(&outside, "web: leaked\n").unwrap();
    let before = std::fs::metadata(&outside).unwrap();
    let request = app.request(&[("index.html", "")]);
    symlink(&outside, request.source.join("Procfile")).unwrap();
    symlink("/", request.source.join("root")).unwrap();
    let ended = app.run(request).await;
    assert!(!ended.log.contains("leaked") && !ended.web().contains("leaked"), "{}", ended.log);
    let after = std::fs::metadata(&outside).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&before), std::os::unix::fs::MetadataExt::uid(&after));
}

#[tokio::test]
async fn names_in_any_script_and_names_that_are_no_text_are_built() {
    let mut app = App::new();
    let request = app.request(&[("Procfile", "web: true"), ("naïve/файл 文件.txt", "x"), ("a\nb", "y")]);
    std::fs::write(request.source.join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "z").unwrap();
    app.run(request).await.output();
}

#[tokio::test]
async fn a_procfile_with_conflict_markers_stops_the_build_at_once() {
    let ended = App::new().push(&[("Procfile", "<<<<<<< HEAD\nweb: a\n")]).await;
    assert_eq!(ended.failure().kind, FailureKind::Source);
    assert!(ended.failure().reason.contains("line 1 is a merge conflict marker"), "{:?}", ended.failure());
    assert!(!ended.log.contains("Detecting"), "{}", ended.log);
}

#[tokio::test]
async fn a_procfile_that_declares_nothing_does_not_deploy_a_default_in_its_place() {
    let mut app = App::new();
    let ended = app.push(&[("Procfile", "web gunicorn app:app\n"), ("index.html", "")]).await;
    assert_eq!(ended.failure().reason, "Procfile line 1 is not `TYPE: COMMAND`");
    let hint = "write `web: gunicorn app:app`, or start the line with # if it is a comment";
    assert!(ended.log.ends_with(&format!(" !     {hint}\n")), "{}", ended.log);
    let ended = app.push(&[("Procfile", ""), ("index.html", "")]).await;
    assert!(ended.failure().reason.contains("the Procfile is empty"), "{:?}", ended.failure());
}
