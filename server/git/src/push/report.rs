//! The answer to a push in the client's terms (gitprotocol-pack(5), "Report Status"): words that are shown as `remote:`
//! lines, and what became of each reference.

use bytes::Bytes;

use crate::pkt;
use crate::terminal::clean_line;

/// Band 1 of a side-band carries the report, band 2 is shown as `remote:` lines (gitprotocol-capabilities(5)).
const REPORT: u8 = 1;
const SHOWN: u8 = 2;
/// Data of one packet under `side-band`, and what is used of `side-band-64k`, both less the band's own byte.
const SMALL_BAND: usize = 990;
const LARGE_BAND: usize = 16 << 10;

/// What became of one reference; the error is a few words why not.
pub type Fate = Result<(), String>;

/// What a client understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Bytes of one packet; none where the client knows no bands.
    band: Option<usize>,
    report: bool,
}

impl Terms {
    /// Takes note of one capability.
    pub(crate) fn take(&mut self, word: &[u8]) {
        match word {
            b"side-band" => self.band = self.band.or(Some(SMALL_BAND)),
            b"side-band-64k" => self.band = Some(LARGE_BAND),
            b"report-status" | b"report-status-v2" => self.report = true,
            _ => (),
        }
    }

    /// Returns words as packets to show; nothing where the client cannot show any.
    pub(crate) fn words(self, words: &[u8]) -> Bytes {
        self.banded(SHOWN, words)
    }

    /// Returns a packet that says nothing, for who waits between the two; empty where the client has no bands.
    pub(crate) fn sign_of_life(self) -> Bytes {
        let mut out = Vec::new();
        if self.band.is_some() {
            pkt::put(&mut out, &[REPORT]);
        }
        out.into()
    }

    /// Returns the end of the answer.
    pub(crate) fn report(self, unpack: &Fate, fates: &[(String, Fate)]) -> Bytes {
        let mut out = Vec::new();
        if self.report {
            let report = report(unpack, fates);
            match self.band {
                Some(_) => out.extend_from_slice(&self.banded(REPORT, &report)),
                None => out = report,
            }
        }
        if self.band.is_some() {
            out.extend_from_slice(pkt::FLUSH);
        }
        out.into()
    }

    fn banded(self, band: u8, data: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for part in self.band.map(|size| data.chunks(size)).into_iter().flatten() {
            pkt::put(&mut out, &[&[band], part].concat());
        }
        out.into()
    }
}

fn report(unpack: &Fate, fates: &[(String, Fate)]) -> Vec<u8> {
    let mut report = Vec::new();
    let shown = |why: &str| clean_line(why.as_bytes(), 200);
    let unpacked = unpack.as_ref().err().map_or_else(|| "ok".to_owned(), |why| shown(why));
    pkt::put(&mut report, format!("unpack {unpacked}\n").as_bytes());
    for (name, fate) in fates {
        let line = match fate {
            Ok(()) => format!("ok {name}\n"),
            Err(why) => format!("ng {name} {}\n", shown(why)),
        };
        pkt::put(&mut report, line.as_bytes());
    }
    report.extend_from_slice(pkt::FLUSH);
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(words: &[&str]) -> Terms {
        let mut terms = Terms::default();
        words.iter().for_each(|word| terms.take(word.as_bytes()));
        terms
    }

    fn fates() -> Vec<(String, Fate)> {
        vec![("refs/heads/main".into(), Err("not\ndeployed".to_owned())), ("refs/tags/v1".into(), Ok(()))]
    }

    #[test]
    fn a_client_with_bands_is_told_in_them_and_where_they_end() {
        let terms = terms(&["report-status-v2", "side-band-64k", "side-band"]);
        assert_eq!(&terms.words(b"hello\n")[..], b"000b\x02hello\n");
        assert_eq!(&terms.sign_of_life()[..], b"0005\x01");
        let told = terms.report(&Ok(()), &fates());
        let text = String::from_utf8_lossy(&told);
        assert!(text.contains("\u{1}000eunpack ok\n"), "{text}");
        assert!(text.contains("ng refs/heads/main not deployed\n0014ok refs/tags/v1\n"), "{text}");
        assert!(text.ends_with("00000000"), "the report's flush and the band's: {text}");
    }

    #[test]
    fn a_client_without_bands_gets_the_bare_report_or_nothing() {
        let told = terms(&["report-status"]).report(&Err("too large".to_owned()), &[]);
        assert_eq!(&told[..], b"0015unpack too large\n0000");
        assert!(terms(&[]).report(&Ok(()), &fates()).is_empty());
        assert!(terms(&[]).words(b"hello").is_empty() && terms(&[]).sign_of_life().is_empty());
    }
}
