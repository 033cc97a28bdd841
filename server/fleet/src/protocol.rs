//! What agents and servers say to each other: JSON, but for the bytes of logs and slugs.
//!
//! Fields may be added; what one side does not know it ignores.

use std::fmt;
use std::net::IpAddr;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use jiff::Timestamp;
use model::id::{AppId, HostId, ReplicaId};
use model::metrics::HostMinute;
use model::replica::{HostDesired, HostReport};
use serde::{Deserialize, Serialize};

/// A machine asks to become a host: `POST /agent/join`.
#[derive(Serialize, Deserialize)]
pub struct Join {
    /// The secret of its join token.
    pub secret: String,
    /// What it calls itself; the token may say otherwise.
    pub name: String,
    /// Its request for a certificate, as PEM.
    pub request: String,
    /// What it is.
    pub about: About,
}

/// An instance of a cloud asks to become a host: `POST /agent/enrol`.
#[derive(Serialize, Deserialize)]
pub struct Enrol {
    /// What it was given at its launch.
    pub secret: String,
    /// Its identity document, to the byte.
    pub document: String,
    /// AWS's signature of that: base64 of PKCS #7.
    pub signature: String,
    /// Its request for a certificate, as PEM.
    pub request: String,
    /// What it is.
    pub about: About,
}

/// It is a host now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Joined {
    /// Its identity.
    pub host: HostId,
    /// Its name.
    pub name: String,
    /// Its certificate, as PEM.
    pub certificate: String,
    /// The certificate of the platform's authority, as PEM.
    pub authority: String,
}

/// A host asks for a fresh certificate: `POST /agent/renew`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Renew {
    /// Its request for a certificate, as PEM.
    pub request: String,
}

/// Its fresh certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Renewed {
    /// As PEM.
    pub certificate: String,
}

/// What a host says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Where routers reach its entry; none: where its connections come from.
    pub address: Option<IpAddr>,
    /// The port of its entry.
    pub entry_port: Option<u16>,
    /// Memory it offers to replicas, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time it offers, in thousandths of a core.
    pub cpu_millicores: Option<u64>,
    /// The version of its agent.
    pub version: Option<String>,
    /// Its engine.
    pub engine: Option<String>,
}

/// A host says what is new there, and hears what is new for it: `POST /agent/sync`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sync {
    /// What it is, at first and whenever that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// What its cloud has told it, on the line of wishes.
    #[serde(flatten)]
    pub told: Told,
    /// What it observed, if this server has not taken that yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<HostReport>,
    /// The number of its last report: of two the higher one is the later one.
    pub report_number: u64,
    /// The term and the generation of the wishes it has.
    pub has: (u64, u64),
    /// How long the answer may wait for news, in milliseconds.
    pub hold_ms: u64,
}

/// What the cloud of a host has told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// It is taken back, or may soon be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// Maintenance of its machine is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

impl Told {
    /// Takes note of what is told now, and returns whether that is news. Maintenance may be called off. A notice stays: the
    /// replicas may be on their way elsewhere; only that it is certain is added to it.
    pub fn take(&mut self, now: Self) -> bool {
        let before = *self;
        self.maintenance = now.maintenance;
        if now.notice.is_some_and(|notice| notice.is_news_after(self.notice)) {
            self.notice = now.notice;
        }
        *self != before
    }

    /// Tells whether it is nothing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Told {
    /// Says the more urgent of it, of "it", the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.notice, self.maintenance) {
            (Some(Notice { ends_at: Some(at) }), _) => {
                write!(f, "the cloud takes it back at {}", at.strftime("%H:%M:%S UTC"))
            }
            (_, Some(maintenance)) => maintenance.fmt(f),
            (Some(Notice { ends_at: None }), None) => f.write_str("the cloud may take it back soon"),
            (None, None) => f.write_str("the cloud has told it nothing"),
        }
    }
}

/// A host is taken back by its cloud, or may soon be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When; nothing: it is more likely than for others, and nobody knows when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl Notice {
    /// Tells whether it says more than what was known: that the host is taken back at all, or that this is certain.
    #[must_use]
    pub fn is_news_after(self, known: Option<Self>) -> bool {
        known.is_none_or(|known| known.ends_at.is_none() && self.ends_at.is_some())
    }
}

/// Maintenance of a host's machine, planned days before: it starts anew, stops, is taken away, or lacks power or network for
/// a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// When it begins, at the earliest, if that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_at: Option<Timestamp>,
}

impl fmt::Display for Maintenance {
    /// Says it of "it", the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cloud has planned maintenance of it")?;
        self.begins_at.map_or(Ok(()), |at| write!(f, " for {}", at.strftime("%Y-%m-%d %H:%M UTC")))
    }
}

/// What is new for a host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Synced {
    /// The number of the last report that this server took; nothing: it needs one.
    pub report_number: Option<u64>,
    /// Wishes that are newer than those it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<HostDesired>,
    /// Replicas to be probed at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubted: Vec<ReplicaId>,
    /// How many drills the host was told of.
    #[serde(default)]
    pub drill: u64,
}

/// What a host measured, the oldest minute first: `POST /agent/minutes`. A server that does not know the path answers 404, and
/// the host keeps them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Minutes {
    /// Minutes that are over.
    pub minutes: Vec<HostMinute>,
}

/// How far the minutes of a host were taken.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct MinutesTaken {
    /// The last of them that need not be sent again.
    pub upto: u64,
}

/// A piece of one segment of a log: `POST /agent/logs` carries several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Whose log.
    pub app: AppId,
    /// The lane.
    pub lane: String,
    /// The number of the segment in its lane.
    pub segment: u64,
    /// Where in the segment the bytes begin.
    pub offset: u64,
    /// How many bytes there are.
    pub length: u32,
    /// The segment had so many lines, and the host had to give it up before all of it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<u64>,
}

/// How far a server has a segment now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where the next bytes begin; a host goes on from there.
    pub offset: u64,
    /// The lane has gone on: nothing more of this segment is wanted.
    #[serde(default)]
    pub unwanted: bool,
    /// There is no such app, or the host has no business with it: nothing of it is wanted.
    #[serde(default)]
    pub no_app: bool,
}

/// How far a server has each of the segments it was sent pieces of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    /// In the order of the pieces.
    pub kept: Vec<Kept>,
}

/// Pieces of logs as they were sent.
pub type Chunks = Vec<(Chunk, Bytes)>;

/// The longest head of the pieces in one request, in bytes.
const HEAD_MAX: usize = 1 << 20;

/// Returns pieces of logs as one body: the length of their description, that description, then their bytes in order.
///
/// # Errors
/// What they are cannot be written as JSON, which does not happen.
pub fn encode_chunks(chunks: &[(Chunk, Bytes)]) -> serde_json::Result<Bytes> {
    let head = serde_json::to_vec(&chunks.iter().map(|(chunk, _)| chunk).collect::<Vec<_>>())?;
    let bytes: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut body = BytesMut::with_capacity(4 + head.len() + bytes);
    body.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    body.put_slice(&head);
    chunks.iter().for_each(|(_, bytes)| body.put_slice(bytes));
    Ok(body.freeze())
}

/// Returns the pieces in a body; nothing if it is not what [`encode_chunks`] makes.
#[must_use]
pub fn decode_chunks(mut body: Bytes) -> Option<Chunks> {
    if body.len() < 4 {
        return None;
    }
    let head = usize::try_from(body.get_u32()).ok().filter(|head| *head <= HEAD_MAX.min(body.len()))?;
    let described: Vec<Chunk> = serde_json::from_slice(&body.split_to(head)).ok()?;
    let mut chunks = Vec::with_capacity(described.len());
    for chunk in described {
        let length = usize::try_from(chunk.length).ok().filter(|length| *length <= body.len())?;
        chunks.push((chunk, body.split_to(length)));
    }
    body.is_empty().then_some(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_logs_are_read_back_and_half_a_body_is_not() {
        let piece = |offset, text: &'static str| {
            let chunk = Chunk {
                app: AppId::new(),
                lane: "process-3".to_owned(),
                segment: 7,
                offset,
                length: u32::try_from(text.len()).unwrap(),
                gone: None,
            };
            (chunk, Bytes::from_static(text.as_bytes()))
        };
        let chunks = vec![piece(0, "one"), piece(3, ""), piece(3, "three")];
        let body = encode_chunks(&chunks).unwrap();
        assert_eq!(decode_chunks(body.clone()).unwrap(), chunks);
        for end in 0..body.len() {
            assert!(decode_chunks(body.slice(..end)).is_none());
        }
        assert!(decode_chunks([&body[..], b"x"].concat().into()).is_none());
    }
}
