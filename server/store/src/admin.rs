//! The first start: somebody must be able to sign in.

use std::path::Path;

use model::access::Scope;

use crate::connection::Store;
use crate::error::{Error, Result};
use crate::tokens::{NewToken, TokenHash, create_known_token, create_token};
use crate::users::{create_user, list_users};
use crate::vault::write_private;

/// Who has the administrator's first token.
#[derive(Clone, Copy, Debug)]
pub enum FirstToken<'a> {
    /// Nobody: it is made, and written to this file (mode 0600).
    File(&'a Path),
    /// Somebody who has made it, and said this of it.
    Known(&'a TokenHash),
}

/// Makes the administrator with their token, unless there are users already. Returns whether it did.
///
/// # Errors
/// A database that fails, or a file that cannot be written.
pub async fn bootstrap_admin(store: &Store, first: FirstToken<'_>) -> Result<bool> {
    let mut tx = store.write().await?;
    if !list_users(&mut tx).await?.is_empty() {
        return Ok(false);
    }
    let admin = create_user(&mut tx, "admin@localhost", Scope::Admin).await?;
    let new = NewToken { user: admin.id, name: "admin-token", scope: Scope::Admin, expires_at: None };
    match first {
        FirstToken::Known(hash) => drop(create_known_token(&mut tx, new, hash).await?),
        FirstToken::File(path) => {
            let (_, secret) = create_token(&mut tx, new).await?;
            // The file comes first: a crash in between makes both anew, the other order would lock everybody out.
            write_private(path, secret.reveal())
                .map_err(|error| Error::File(format!("{} cannot be written", path.display()), error))?;
        }
    }
    tx.commit().await?;
    Ok(true)
}
