//! What the builder of images keeps so that the next build of an app finds its steps, and which of it nobody will ask for.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use model::id::AppId;

use crate::{Builder, Containers};

/// An image that is kept for the next build of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptImage {
    /// By what the engine knows it.
    pub name: String,
    /// Whose build it was.
    pub app: AppId,
    /// Its size, with all that it shares with other images.
    pub bytes: u64,
}

impl Builder {
    /// Returns what is kept for other apps than these; nothing where builds do not run in containers.
    ///
    /// # Errors
    /// The builder of images does not answer.
    pub async fn images_beyond(&self, apps: BTreeSet<AppId>) -> anyhow::Result<Vec<KeptImage>> {
        self.ask(move |containers| containers.images_beyond(&apps)).await
    }

    /// Removes what is kept, but for that of these apps.
    ///
    /// # Errors
    /// The builder of images does not answer.
    pub async fn keep_images_of(&self, apps: BTreeSet<AppId>) -> anyhow::Result<()> {
        self.ask(move |containers| containers.keep_images_of(&apps)).await
    }

    async fn ask<T: Default + Send + 'static>(
        &self,
        question: impl FnOnce(Arc<dyn Containers>) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let Some(containers) = self.containers.clone() else { return Ok(T::default()) };
        tokio::task::spawn_blocking(move || question(containers)).await.context("a task was cut off")?
    }
}
