//! What there is of a set-up, as it was seen a moment ago.

use std::collections::{BTreeMap, BTreeSet};

use super::{HostSubnet, Part, Setting};
use crate::dns::ZoneId;

/// A resource that carries the tags of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Its id, ARN or name: what calls speak of.
    pub id: String,
    /// What of it is as wanted.
    pub holds: BTreeSet<Setting>,
    /// How many others of ours need it.
    pub used: usize,
}

/// What the platform made at run time, and what goes before its set-up goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A host, by instance id.
    Host(String),
    /// The control plane's machine, by instance id.
    Control(String),
    /// Its disk, by volume id.
    Disk(String),
    /// An app's target group, by ARN.
    TargetGroup(String),
    /// An image that hosts start from.
    Image(String),
    /// A snapshot that such an image is, or was, made of.
    Snapshot(String),
    /// Names that lead to its load balancers, in this hosted zone.
    Names(ZoneId),
}

/// What is used and was not made by us.
#[derive(Clone, Debug, Default)]
pub struct Adopted {
    /// Where hosts go, in a network that was adopted.
    pub host_subnets: Vec<HostSubnet>,
    /// The security groups of a load balancer that was adopted.
    pub entrance_groups: Vec<String>,
    /// Its ports, each with its listener's ARN.
    pub listeners: BTreeMap<u16, String>,
}

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What is used and was not made by us.
    pub adopted: Adopted,
    /// The load balancer's name in DNS.
    pub address: String,
    /// The names in DNS of those beyond the first.
    pub more_addresses: Vec<String>,
    /// The load balancer's own name.
    pub balancer_name: String,
    /// The account.
    pub account: String,
    /// The hosted zone in which the control plane may keep names.
    pub dns_zone: Option<ZoneId>,
    pieces: BTreeMap<Part, Vec<Piece>>,
    /// What the platform made at run time.
    pub leftovers: BTreeSet<Leftover>,
}

impl Found {
    /// Returns an account in which nothing has been seen yet.
    #[must_use]
    pub fn of(account: String) -> Self {
        Self { account, ..Self::default() }
    }

    /// Notes a resource.
    pub fn note(&mut self, part: Part, piece: Piece) {
        let pieces = self.pieces.entry(part).or_default();
        if pieces.iter().all(|known| known.id != piece.id) {
            pieces.push(piece);
            // The one that others need is the one that is kept; the rest is a matter of being the same each time.
            pieces.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.id.cmp(&b.id)));
        }
    }

    /// Notes that something of a part is now as wanted.
    pub fn note_set(&mut self, part: &Part, setting: Setting) {
        if let Some(piece) = self.pieces.get_mut(part).and_then(|pieces| pieces.first_mut()) {
            piece.holds.insert(setting);
        }
    }

    /// Forgets a resource.
    pub fn forget(&mut self, part: &Part, id: &str) {
        if let Some(pieces) = self.pieces.get_mut(part) {
            pieces.retain(|piece| piece.id != id);
        }
    }

    /// Returns the resource that is a part.
    #[must_use]
    pub fn piece(&self, part: &Part) -> Option<&Piece> {
        self.pieces.get(part)?.first()
    }

    /// Returns the id of the resource that is a part.
    #[must_use]
    pub fn id(&self, part: &Part) -> Option<&str> {
        self.piece(part).map(|piece| piece.id.as_str())
    }

    /// Returns the numbers of the load balancers that there are.
    pub fn balancers(&self) -> impl Iterator<Item = u8> {
        let number = |(part, _): (&Part, &Piece)| match part {
            Part::Balancer(number) => Some(*number),
            _ => None,
        };
        self.all().filter_map(number)
    }

    /// Returns all resources, with the parts that they are.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (&Part, &Piece)> {
        self.pieces.iter().flat_map(|(part, pieces)| pieces.iter().map(move |piece| (part, piece)))
    }

    /// Returns what of the platform's goes before its set-up goes. The control plane's disk holds what cannot be made again.
    #[must_use]
    pub fn leaving(&self, data_too: bool) -> BTreeSet<Leftover> {
        let goes = |leftover: &&Leftover| data_too || !matches!(leftover, Leftover::Disk(_));
        self.leftovers.iter().filter(goes).cloned().collect()
    }

    /// Returns those beyond the first of each part: made twice because an answer was lost.
    pub fn doubles(&self) -> impl Iterator<Item = (&Part, &Piece)> {
        self.pieces.iter().flat_map(|(part, pieces)| pieces.iter().skip(1).map(move |piece| (part, piece)))
    }
}
