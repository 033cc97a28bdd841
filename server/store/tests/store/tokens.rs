//! Tokens: the first administrator's, those that have ended, and those that were revoked.

use jiff::{SignedDuration, Timestamp};
use model::access::Scope;
use sha2::{Digest as _, Sha256};
use store::*;

use crate::database::open;

#[tokio::test]
async fn a_first_token_that_was_made_elsewhere_works_and_counts_at_the_first_start_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let hash = |secret: &str| hex::encode(Sha256::digest(secret)).parse::<TokenHash>().unwrap();
    assert!(bootstrap_admin(&store, FirstToken::Known(&hash("paas_mine"))).await.unwrap());
    assert!(!bootstrap_admin(&store, FirstToken::Known(&hash("paas_other"))).await.unwrap());
    let mut db = store.read().await.unwrap();
    let (token, user) = find_token(&mut db, "paas_mine").await.unwrap().unwrap();
    assert_eq!((token.name.as_str(), token.scope, user.scope), ("admin-token", Scope::Admin, Scope::Admin));
    assert!(find_token(&mut db, "paas_other").await.unwrap().is_none());
    for wrong in ["", "ABCD", &"g".repeat(64), &"a".repeat(63)] {
        assert_eq!(wrong.parse::<TokenHash>(), Err(TokenHashError), "{wrong}");
    }
}

#[tokio::test]
async fn the_first_start_makes_one_administrator_whose_token_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let file = dir.path().join("admin-token");
    let first = FirstToken::File(&file);
    assert!(bootstrap_admin(&store, first).await.unwrap());
    assert!(!bootstrap_admin(&store, first).await.unwrap());
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
