//! Python apps from each kind of source.

use crate::world::{App, FLASK};

#[tokio::test]
async fn an_unpinned_list_is_resolved_once_and_built_the_same_with_a_warm_and_a_cold_cache() {
    let mut app = App::new();
    let files = [("requirements.txt", "flask\ngunicorn\n"), ("app.py", FLASK)];
    let first = app.push(&files).await;
    assert_eq!(first.web(), "gunicorn --bind 0.0.0.0:$PORT app:app");
    assert!(first.output().manifest.packages.contains_key("flask"), "{:?}", first.output().manifest);
    let warm = app.push(&files).await;
    assert!(warm.log.contains("taken from the last build"), "{}", warm.log);
    std::fs::remove_dir_all(app.dir.path().join("cache")).unwrap();
    let cold = app.push(&files).await;
    assert!(!cold.log.contains("taken from the last build"), "{}", cold.log);
    assert_eq!(first.output().slug.digest, warm.output().slug.digest);
    assert_eq!(first.output().slug.digest, cold.output().slug.digest);
}
