//! The platform's own words to a git client, where git itself has none: instead of an advertisement, and instead of
//! the answer to a push that is refused before git has judged it.

use bytes::Bytes;

use crate::Service;
use crate::pkt::{self, Pkt};
use crate::terminal::clean_line;

/// Bytes kept of the beginning of a push, to answer it in its own terms.
pub(crate) const LONGEST_HEAD: usize = 1 << 20;
/// Band 2 of a side-band is shown as `remote:` lines (gitprotocol-capabilities(5)).
const SHOWN: u8 = 2;
/// Band 1 carries the report.
const REPORT: u8 = 1;
/// Small enough for `side-band` as well as `side-band-64k`, less the band's own byte.
const BAND: usize = 990;

/// Returns an answer to `info/refs` that makes git print `fatal: remote error: <message>`.
pub fn error_advertisement(service: Service, message: &str) -> Bytes {
    let mut out = Vec::new();
    pkt::put(&mut out, format!("# service={}\n", service.name()).as_bytes());
    out.extend_from_slice(pkt::FLUSH);
    pkt::put(&mut out, format!("ERR {}", clean_line(message.as_bytes(), 2000)).as_bytes());
    out.into()
}

/// Returns the answer to a push whose body begins with `head`: the lines as `remote:`, and each reference rejected
/// for `reason`, a few words.
pub fn push_refusal(head: &[u8], lines: &[String], reason: &str) -> Bytes {
    let push = PushHead::parse(head);
    let mut out = Vec::new();
    if push.side_band {
        for line in lines {
            put_band(&mut out, SHOWN, format!("{}\n", clean_line(line.as_bytes(), 500)).as_bytes());
        }
    }
    if push.report {
        let report = report(&push.names, &clean_line(reason.as_bytes(), 200));
        if push.side_band {
            put_band(&mut out, REPORT, &report);
        } else {
            out.extend_from_slice(&report);
        }
    }
    if push.side_band {
        out.extend_from_slice(pkt::FLUSH);
    }
    out.into()
}

fn report(names: &[&[u8]], reason: &str) -> Vec<u8> {
    let mut report = Vec::new();
    pkt::put(&mut report, format!("unpack {reason}\n").as_bytes());
    for name in names {
        pkt::put(&mut report, &[b"ng ", *name, b" ", reason.as_bytes(), b"\n"].concat());
    }
    report.extend_from_slice(pkt::FLUSH);
    report
}

fn put_band(out: &mut Vec<u8>, band: u8, data: &[u8]) {
    for part in data.chunks(BAND) {
        pkt::put(out, &[&[band], part].concat());
    }
}

/// What the beginning of a push says: the references and what the client understands.
#[derive(Debug, Default)]
struct PushHead<'a> {
    names: Vec<&'a [u8]>,
    side_band: bool,
    report: bool,
}

impl<'a> PushHead<'a> {
    /// Reads as far as the head goes; a broken head is an empty one.
    fn parse(mut head: &'a [u8]) -> Self {
        let mut push = Self::default();
        while let Ok(Some((Pkt::Data(line), rest))) = pkt::split(head) {
            head = rest;
            push.take(line.strip_suffix(b"\n").unwrap_or(line));
        }
        push
    }

    fn take(&mut self, line: &'a [u8]) {
        let mut halves = line.splitn(2, |&byte| byte == 0);
        let command = halves.next().unwrap_or_default();
        for word in halves.next().unwrap_or_default().split(|&byte| byte == b' ') {
            self.side_band |= word.starts_with(b"side-band");
            self.report |= word.starts_with(b"report-status");
        }
        // `old SP new SP name`; what has another shape (`shallow …`) names no reference.
        if let Some((_, [b' ', name @ ..])) = command.split_at_checked(81) {
            self.names.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(capabilities: &str) -> Vec<u8> {
        let (a, b) = ("1".repeat(40), "2".repeat(40));
        let mut head = Vec::new();
        pkt::put(&mut head, format!("shallow {a}").as_bytes());
        pkt::put(&mut head, format!("{a} {b} refs/heads/main\0 {capabilities}").as_bytes());
        pkt::put(&mut head, format!("{a} {b} refs/tags/v1").as_bytes());
        head.extend_from_slice(b"0000PACK");
        head
    }

    #[test]
    fn a_refused_push_hears_why_and_each_reference_is_rejected() {
        let told =
            push_refusal(&head("report-status-v2 side-band-64k"), &["too large".to_owned()], "too large");
        let text = String::from_utf8_lossy(&told);
        assert!(text.starts_with("000f\u{2}too large\n"), "{text}");
        assert!(
            text.contains("ng refs/heads/main too large\n") && text.contains("ng refs/tags/v1 too large\n")
        );
        assert!(text.ends_with("00000000"), "the report's flush and the band's: {text}");
    }

    #[test]
    fn a_client_without_side_band_gets_the_bare_report() {
        let told = push_refusal(&head("report-status"), &["too large".to_owned()], "too large");
        assert!(told.starts_with(b"0015unpack too large\n") && told.ends_with(b"0000"), "{told:?}");
        assert!(push_refusal(b"garbage", &[], "no").is_empty());
    }

    #[test]
    fn an_error_instead_of_references_is_one_line() {
        let told = error_advertisement(Service::ReceivePack, "no app `x`\n\u{1b}[1mbold");
        assert_eq!(&told[..], b"001f# service=git-receive-pack\n00000017ERR no app `x` bold".as_slice());
    }

    proptest! {
        #[test]
        fn no_head_makes_it_panic(bytes: Vec<u8>) {
            let _ = push_refusal(&bytes, &[], "no");
        }
    }
}
