//! Whether a machine that says it is an instance we ordered may become a host. The signature of its identity document was
//! checked before; what the document, the order and the cloud say of it is compared here.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use super::follow::JOINS;
use super::view::{InstanceId, State, Wish};

/// What a signed instance identity document says, as far as it matters here. Its names are AWS's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Whose account the instance is in.
    pub account_id: String,
    /// In which region.
    pub region: String,
    /// In which zone.
    pub availability_zone: String,
    /// Which one it is.
    pub instance_id: InstanceId,
    /// What it was made from.
    pub image_id: String,
    /// Its address in the network.
    pub private_ip: IpAddr,
}

/// The order that the machine says it comes from.
#[derive(Clone, Debug)]
pub struct Order {
    /// Which instance it is known to have become, if that is known.
    pub id: Option<InstanceId>,
    /// The image that was ordered.
    pub image: String,
    /// The zone.
    pub zone: String,
    /// When it was written down.
    pub decided_at: Timestamp,
    /// Whether it is still wanted.
    pub wish: Wish,
    /// Whether a host joined with it before.
    pub used: bool,
}

/// What the cloud says of the instance that the document names.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its state.
    pub state: State,
    /// The launch that its mark names.
    pub launch_matches: bool,
    /// Its address in the network.
    pub private_ip: Option<IpAddr>,
    /// What it was made from.
    pub image: String,
}

/// A machine that wants to join.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// What its signed document says.
    pub document: Document,
    /// Where it calls from.
    pub from: IpAddr,
    /// Our account and region.
    pub home: (String, String),
    /// Whether this instance was ever a host.
    pub enrolled_before: bool,
}

/// Why a machine is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// It was let in before: whoever comes now has what another has, too.
    #[error("{0} has joined before; it is to be replaced, and not to join again")]
    Again(InstanceId),
    /// Its order is not one that lets it join now.
    #[error("{0}")]
    Order(String),
    /// Something about it is not as it was ordered.
    #[error("{what} is {found}, and {expected} was expected")]
    Differs {
        /// What.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The cloud does not show it (yet); the machine may ask again.
    #[error("the cloud does not show {0} as running with the mark of its launch; it may take a moment")]
    NotShown(InstanceId),
}

impl NotAdmitted {
    /// Tells whether the same machine may be let in a moment later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotShown(_))
    }
}

/// Tells whether the machine may become a host: every witness must say the same.
///
/// # Errors
/// Why not.
pub fn admit(
    who: &Applicant,
    order: &Order,
    shown: Option<&Shown>,
    now: Timestamp,
) -> Result<(), NotAdmitted> {
    let document = &who.document;
    let id = &document.instance_id;
    if who.enrolled_before || order.used {
        return Err(NotAdmitted::Again(id.clone()));
    }
    if order.wish != Wish::Run {
        return Err(NotAdmitted::Order("the launch that it comes from is not wanted any more".to_owned()));
    }
    if now.duration_since(order.decided_at) >= JOINS {
        return Err(NotAdmitted::Order("the launch that it comes from was too long ago".to_owned()));
    }
    same("the account", &document.account_id, &who.home.0)?;
    same("the region", &document.region, &who.home.1)?;
    same("the zone", &document.availability_zone, &order.zone)?;
    same("the image", &document.image_id, &order.image)?;
    same("the address it calls from", &who.from.to_string(), &document.private_ip.to_string())?;
    if let Some(known) = &order.id {
        same("the instance", id.as_str(), known.as_str())?;
    }
    let runs = |shown: &&Shown| matches!(shown.state, State::Pending | State::Running | State::Impaired);
    let Some(shown) = shown.filter(|shown| shown.launch_matches).filter(runs) else {
        return Err(NotAdmitted::NotShown(id.clone()));
    };
    same("the image that the cloud shows", &shown.image, &order.image)?;
    match shown.private_ip {
        None => Err(NotAdmitted::NotShown(id.clone())),
        Some(address) => {
            same("the address that the cloud shows", &address.to_string(), &who.from.to_string())
        }
    }
}

fn same(what: &'static str, found: &str, expected: &str) -> Result<(), NotAdmitted> {
    if found == expected {
        return Ok(());
    }
    let plain = |text: &str| crate::wording::plain(text, 80);
    Err(NotAdmitted::Differs { what, found: plain(found), expected: plain(expected) })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::instances::Cause;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn all() -> (Applicant, Order, Shown) {
        let json = r#"{"accountId":"123456789012","architecture":"arm64","availabilityZone":"eu-west-1a",
            "billingProducts":null,"imageId":"ami-1","instanceId":"i-0123456789abcdef0","instanceType":"m7g.large",
            "pendingTime":"2026-11-21T12:00:00Z","privateIp":"10.0.1.4","region":"eu-west-1","version":"2017-09-30"}"#;
        let document: Document = serde_json::from_str(json).unwrap();
        let home = ("123456789012".to_owned(), "eu-west-1".to_owned());
        let from = document.private_ip;
        let order = Order {
            id: None,
            image: "ami-1".to_owned(),
            zone: "eu-west-1a".to_owned(),
            decided_at: NOW,
            wish: Wish::Run,
            used: false,
        };
        let shown = Shown {
            state: State::Running,
            launch_matches: true,
            private_ip: Some(from),
            image: "ami-1".to_owned(),
        };
        (Applicant { document, from, home, enrolled_before: false }, order, shown)
    }

    #[test]
    fn a_machine_of_which_all_say_the_same_is_let_in() {
        let (who, order, shown) = all();
        assert_eq!(admit(&who, &order, Some(&shown), NOW), Ok(()));
        let known = Order { id: Some(who.document.instance_id.clone()), ..order };
        assert_eq!(admit(&who, &known, Some(&shown), NOW), Ok(()));
        // It was asked for until then, and boots.
        let late = NOW + SignedDuration::from_mins(25);
        assert_eq!(admit(&who, &known, Some(&shown), late), Ok(()));
    }

    #[test]
    fn each_witness_that_differs_keeps_it_out() {
        let (who, order, shown) = all();
        let late = NOW + SignedDuration::from_mins(30);
        let stranger: IpAddr = "10.0.1.5".parse().unwrap();
        let changed = |change: fn(&mut Document)| {
            let mut who = who.clone();
            change(&mut who.document);
            who
        };
        let whos = [
            changed(|document| document.account_id = "210987654321".to_owned()),
            changed(|document| document.region = "eu-west-2".to_owned()),
            changed(|document| document.availability_zone = "eu-west-1b".to_owned()),
            changed(|document| document.image_id = "ami-2".to_owned()),
            changed(|document| document.private_ip = "10.0.1.9".parse().unwrap()),
            Applicant { from: stranger, ..who.clone() },
            Applicant { enrolled_before: true, ..who.clone() },
        ];
        for who in whos {
            assert!(admit(&who, &order, Some(&shown), NOW).is_err(), "{who:?}");
        }
        let another = Some("i-0aaaaaaaaaaaaaaaa".parse().unwrap());
        let gone = Wish::End { since: NOW, cause: Cause::Surplus };
        let orders = [
            Order { id: another, ..order.clone() },
            Order { used: true, ..order.clone() },
            Order { wish: gone, ..order.clone() },
        ];
        for order in orders {
            assert!(admit(&who, &order, Some(&shown), NOW).is_err(), "{order:?}");
        }
        assert!(admit(&who, &order, Some(&shown), late).is_err());
        let showns = [
            Shown { state: State::Ended, ..shown.clone() },
            Shown { state: State::Stopped, ..shown.clone() },
            Shown { launch_matches: false, ..shown.clone() },
            Shown { private_ip: None, ..shown.clone() },
        ];
        for shown in showns {
            assert!(admit(&who, &order, Some(&shown), NOW).unwrap_err().may_pass(), "{shown:?}");
        }
        assert!(admit(&who, &order, None, NOW).unwrap_err().may_pass());
        for shown in [
            Shown { private_ip: Some(stranger), ..shown.clone() },
            Shown { image: "ami-2".to_owned(), ..shown },
        ] {
            assert!(!admit(&who, &order, Some(&shown), NOW).unwrap_err().may_pass(), "{shown:?}");
        }
    }
}
