//! Browsers that are signed in, and the passwords they sign in with.

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use store::*;

use crate::database::open;

fn new(user: &User) -> NewSession<'_> {
    let (browser, remote) = ("Firefox on Linux", Some("192.0.2.1"));
    NewSession { user: user.id, scope: Scope::Read, browser, remote, ends_at: None }
}

#[tokio::test]
async fn a_session_is_found_by_its_secret_until_it_ends_or_its_user_is_disabled() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tx = store.write().await.unwrap();
    let ann = create_user(&mut tx, "ann@example.org", Scope::Write).await.unwrap();
    let bob = create_user(&mut tx, "bob@example.org", Scope::Write).await.unwrap();
    let secret = create_session(&mut tx, new(&ann)).await.unwrap();
    let (session, user) = find_session(&mut tx, &secret).await.unwrap().unwrap();
    assert_eq!((user.id, session.scope, session.remote.as_deref()), (ann.id, Scope::Read, Some("192.0.2.1")));
    assert!(find_session(&mut tx, "something else").await.unwrap().is_none());
    touch_session(&mut tx, session.id).await.unwrap();
    assert!(!end_session(&mut tx, bob.id, session.id).await.unwrap(), "it is not his");
    set_user_disabled(&mut tx, ann.id, true).await.unwrap();
    assert!(find_session(&mut tx, &secret).await.unwrap().is_none());
    set_user_disabled(&mut tx, ann.id, false).await.unwrap();
    assert!(end_session(&mut tx, ann.id, session.id).await.unwrap());
    assert!(find_session(&mut tx, &secret).await.unwrap().is_none());
    assert_eq!(list_sessions(&mut tx, ann.id).await.unwrap(), []);
}

#[tokio::test]
async fn a_session_ends_with_the_token_that_began_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tx = store.write().await.unwrap();
    let ann = create_user(&mut tx, "ann@example.org", Scope::Write).await.unwrap();
    for (seconds, is_there) in [(60, true), (-60, false)] {
        let ends_at = Timestamp::now() + SignedDuration::from_secs(seconds);
        let secret =
            create_session(&mut tx, NewSession { ends_at: Some(ends_at), ..new(&ann) }).await.unwrap();
        assert_eq!(find_session(&mut tx, &secret).await.unwrap().is_some(), is_there);
    }
    assert_eq!(list_sessions(&mut tx, ann.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_password_can_end_all_other_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut tx = store.write().await.unwrap();
    let ann = create_user(&mut tx, "ann@example.org", Scope::Write).await.unwrap();
    assert!(!has_passwords(&mut tx).await.unwrap());
    assert_eq!(password_hash(&mut tx, ann.id).await.unwrap(), None);
    set_password_hash(&mut tx, ann.id, "$argon2id$…").await.unwrap();
    assert_eq!(password_hash(&mut tx, ann.id).await.unwrap().as_deref(), Some("$argon2id$…"));
    assert!(has_passwords(&mut tx).await.unwrap());
    let kept = create_session(&mut tx, new(&ann)).await.unwrap();
    let other = create_session(&mut tx, new(&ann)).await.unwrap();
    let (session, _) = find_session(&mut tx, &kept).await.unwrap().unwrap();
    end_other_sessions(&mut tx, ann.id, Some(session.id)).await.unwrap();
    assert!(find_session(&mut tx, &other).await.unwrap().is_none());
    assert_eq!(list_sessions(&mut tx, ann.id).await.unwrap().len(), 1);
}
