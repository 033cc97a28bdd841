//! The pkt-line framing of git's wire protocol (gitprotocol-common(5)): four hexadecimal digits of length, then
//! bytes. Knows nothing of what the lines mean.

/// Longest data of one pkt-line, 65520 less its length digits.
pub(crate) const LONGEST_DATA: usize = 65516;

/// The line that ends a section.
pub(crate) const FLUSH: &[u8] = b"0000";

/// One line from the front of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pkt<'a> {
    Data(&'a [u8]),
    /// `0000`, or one of the other lines without data.
    Flush,
}

/// Length digits that are none, or a length that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotPkt;

/// Returns the first line and the rest, or none while the buffer does not yet hold all of it.
pub(crate) fn split(buffer: &[u8]) -> Result<Option<(Pkt<'_>, &[u8])>, NotPkt> {
    let Some((digits, rest)) = buffer.split_at_checked(4) else { return Ok(None) };
    let length = length(digits)?;
    if length < 4 {
        return Ok(Some((Pkt::Flush, rest)));
    }
    Ok(rest.split_at_checked(length - 4).map(|(data, rest)| (Pkt::Data(data), rest)))
}

fn length(digits: &[u8]) -> Result<usize, NotPkt> {
    let text = std::str::from_utf8(digits).map_err(|_| NotPkt)?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(NotPkt);
    }
    match usize::from_str_radix(text, 16).map_err(|_| NotPkt)? {
        length @ (0..=2 | 4..=65520) => Ok(length),
        _ => Err(NotPkt),
    }
}

/// Appends one line; what is too long for one is cut.
pub(crate) fn put(out: &mut Vec<u8>, data: &[u8]) {
    let data = &data[..data.len().min(LONGEST_DATA)];
    out.extend_from_slice(format!("{:04x}", data.len() + 4).as_bytes());
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_split_where_they_end() {
        assert_eq!(split(b"0007abcrest"), Ok(Some((Pkt::Data(b"abc"), b"rest".as_slice()))));
        assert_eq!(split(b"0000"), Ok(Some((Pkt::Flush, b"".as_slice()))));
        assert_eq!(split(b"0007ab"), Ok(None));
        assert_eq!(split(b"00"), Ok(None));
        assert_eq!(split(b"+00f"), Err(NotPkt));
        assert_eq!(split(b"0003"), Err(NotPkt));
        assert_eq!(split(b"ffff"), Err(NotPkt));
    }

    proptest! {
        #[test]
        fn what_is_put_is_split_again(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..10)) {
            let mut wire = Vec::new();
            lines.iter().for_each(|line| put(&mut wire, line));
            let (mut rest, mut seen) = (&wire[..], Vec::new());
            while let Ok(Some((Pkt::Data(data), after))) = split(rest) {
                seen.push(data.to_vec());
                rest = after;
            }
            prop_assert_eq!(seen, lines);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = split(&bytes);
        }
    }
}
