//! Tokens: the first administrator's, those that have ended, and those that were revoked.

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use store::*;

use crate::database::open;

#[tokio::test]
async fn the_first_start_makes_one_administrator_whose_token_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let file = dir.path().join("admin-token");
    assert!(bootstrap_admin(&store, &file).await.unwrap());
    assert!(!bootstrap_admin(&store, &file).await.unwrap());
    let secret = std::fs::read_to_string(&file).unwrap();
    let mut tx = store.write().await.unwrap();
    let (token, user) = find_token(&mut tx, secret.trim()).await.unwrap().unwrap();
    assert_eq!((token.scope, user.scope), (Scope::Admin, Scope::Admin));
    assert!(find_token(&mut tx, "paas_wrong").await.unwrap().is_none());
    let new = NewToken {
        user: user.id,
        name: "old",
        scope: Scope::Read,
        expires_at: Some(Timestamp::now() - SignedDuration::from_secs(1)),
    };
    let (_, expired) = create_token(&mut tx, new).await.unwrap();
    assert!(find_token(&mut tx, expired.reveal()).await.unwrap().is_none());
    touch_token(&mut tx, token.id).await.unwrap();
    assert!(list_tokens(&mut tx, user.id).await.unwrap()[0].last_used_at.is_some());
    revoke_token(&mut tx, user.id, token.id).await.unwrap().unwrap();
    assert!(find_token(&mut tx, secret.trim()).await.unwrap().is_none());
    set_user_disabled(&mut tx, user.id, true).await.unwrap();
}
