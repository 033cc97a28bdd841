//! TLS at the router: whether it listens, and until when the certificates are valid.

use jiff::{SignedDuration, Timestamp};
use model::wording;

use super::finding::Finding;
use crate::api::platform::{Certificate, Tls};

/// A certificate that ends within this should have been renewed by now.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Returns what is to be said of TLS: a line for the listener, one for each certificate that needs somebody.
pub(super) fn findings(tls: &Tls, now: Timestamp) -> Vec<Finding> {
    let Tls { listen, dir, certificates } = tls;
    let found = wording::count(certificates.len(), "certificate");
    let Some(listen) = listen else {
        let text = format!("off, {found} in {dir}; `paasd serve --router-tls-listen ADDR` turns it on");
        return vec![Finding::good("tls", text)];
    };
    if certificates.is_empty() {
        let hint = format!("Lay them down as {dir}/DOMAIN/fullchain.pem and privkey.pem.");
        return vec![Finding::care("tls", format!("listens on {listen} without any certificate")).hint(hint)];
    }
    let listens = Finding::good("tls", format!("listens on {listen}, {found} in {dir}"));
    std::iter::once(listens).chain(certificates.iter().map(|one| of_certificate(one, now))).collect()
}

fn of_certificate(certificate: &Certificate, now: Timestamp) -> Finding {
    let name = &certificate.name;
    let Some(end) = certificate.expires_at.filter(|_| certificate.problem.is_none()) else {
        let why = certificate.problem.as_deref().unwrap_or("it cannot be read");
        return Finding::failed("tls", format!("{name}: {}", wording::plain(why, 300)))
            .hint("Its visitors get the certificate of before, or none.");
    };
    let text = format!("{name}: until {}", end.strftime("%Y-%m-%d"));
    if end <= now {
        Finding::failed("tls", format!("{text}, which is over")).hint("Renew it; it is read again by itself.")
    } else if end.duration_since(now) < SOON {
        Finding::care("tls", text).hint("Renew it; it is read again by itself.")
    } else {
        Finding::good("tls", text)
    }
}
