//! How the hosts and servers of one platform know and reach each other: its certificate authority, the tokens with which
//! a machine joins, what an instance of AWS is known by, what is said over TLS between an agent and a server, and the way in
//! to a host's replicas.
//!
//! What a host should run and whether it may is decided elsewhere, and nothing here reads a database.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test"))]

mod authority;
mod certificate;
mod credentials;
mod doors;
mod entry;
mod identity_document;
mod join_token;
mod link;
mod metadata;
mod names;
mod protocol;
mod signed_message;
mod tls;
mod under_way;
mod verify;

pub use authority::{Authority, HOST_LIFE};
pub use certificate::{Bearer, Subject, fingerprint_of_request};
pub use credentials::{Credentials, HostKey, read_certificate, write_private};
pub use doors::{Call, take_calls};
pub use entry::{Entry, Places};
pub use identity_document::{IdentityCertificates, NotGenuine};
pub use join_token::{BadToken, JoinToken};
pub use link::{BadUrl, Link, LinkError, ServerUrl};
pub use metadata::{BadMetadataUrl, InstanceIdentity, Metadata, MetadataError, MetadataUrl};
pub use names::{CONTROL, host_name, replica_of, replica_server_name};
pub use protocol::{
    About, Chunk, Chunks, Enrol, Join, Joined, Kept, Maintenance, Minutes, MinutesTaken, Notice, Renew,
    Renewed, Sync, Synced, Taken, Told, decode_chunks, encode_chunks,
};
pub use tls::{
    ClientTls, ServerTls, WayConfig, entry_config, join_config, link_config, server_config, way_in,
    way_in_config,
};
