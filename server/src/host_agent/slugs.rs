//! Fetches slugs from whichever server gives them, and asks which are within reach.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fleet::{Link, LinkError};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::header::CONTENT_RANGE;
use model::slug::Digest;
use slug::{Origin, Reach, Rest};

/// The servers as a place that slugs come from.
pub(super) struct FromServers(pub(super) Vec<Arc<Link>>);

impl fmt::Debug for FromServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromServers")
    }
}

#[async_trait]
impl Origin for FromServers {
    async fn open(&self, digest: &Digest, from: u64) -> io::Result<Option<Rest>> {
        let mut last = None;
        for link in &self.0 {
            match link.fetch(&format!("/agent/slugs/{digest}"), from).await {
                Ok(response) => {
                    let whole = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
                    let whole = whole.and_then(|range| range.rsplit_once('/')?.1.parse().ok());
                    let whole = whole.ok_or_else(|| io::Error::other("a slug without a length"))?;
                    let bytes = response.into_body().into_data_stream();
                    let bytes = bytes.map(|piece| piece.map_err(io::Error::other)).boxed();
                    return Ok(Some(Rest { whole, bytes }));
                }
                Err(LinkError::Refused(StatusCode::NOT_FOUND, _)) => {}
                Err(error) => last = Some(error),
            }
        }
        // That one server does not have it says nothing while another one cannot be asked.
        last.map_or(Ok(None), |error| Err(io::Error::other(error)))
    }
}

#[async_trait]
impl Reach for FromServers {
    async fn within_reach(&self, slugs: BTreeSet<Digest>) -> io::Result<BTreeSet<Digest>> {
        let mut last = io::Error::from(io::ErrorKind::NotConnected);
        for link in &self.0 {
            match link.ask("/agent/slugs/within-reach", &slugs, Duration::ZERO).await {
                Ok(within) => return Ok(within),
                Err(error) => last = io::Error::other(error),
            }
        }
        Err(last)
    }
}
