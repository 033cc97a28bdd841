//! The frames between the hook and the server: one byte of kind, four of length (big-endian), and the payload.

/// Longest payload from the hook: room for as many references as a push may have.
pub(super) const LONGEST_REQUEST: usize = 4 << 20;
/// Longest payload from the server.
pub(super) const LONGEST_WORDS: usize = 16 << 10;
/// Bytes before the payload.
pub(super) const HEADER: usize = 5;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// From the hook: session, environment and references; see `request`.
    Request,
    /// From the server: bytes to print.
    Say,
    /// From the server, last: one byte of exit status.
    Exit,
}

impl Kind {
    const ALL: [(Self, u8); 3] = [(Self::Request, b'R'), (Self::Say, b'S'), (Self::Exit, b'X')];

    fn byte(self) -> u8 {
        match self {
            Self::Request => b'R',
            Self::Say => b'S',
            Self::Exit => b'X',
        }
    }
}

/// Returns a whole frame.
pub(super) fn encode(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("payloads are bounded far below 4 GB");
    [&[kind.byte()], &length.to_be_bytes()[..], payload].concat()
}

/// Returns the kind and the payload's length, or none if the header is not one or the payload over its bound.
pub(super) fn decode_header(header: [u8; HEADER]) -> Option<(Kind, usize)> {
    let [byte, length @ ..] = header;
    let (kind, _) = Kind::ALL.into_iter().find(|(_, known)| *known == byte)?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let longest = match kind {
        Kind::Request => LONGEST_REQUEST,
        Kind::Say => LONGEST_WORDS,
        Kind::Exit => 1,
    };
    (length <= longest).then_some((kind, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_was_encoded_and_bounds_hold() {
        let frame = encode(Kind::Say, b"hello");
        assert_eq!(decode_header(frame[..HEADER].try_into().unwrap()), Some((Kind::Say, 5)));
        assert_eq!(decode_header(*b"S\xff\0\0\0"), None);
        assert_eq!(decode_header(*b"X\0\0\0\x02"), None);
        assert_eq!(decode_header(*b"?\0\0\0\0"), None);
    }
}
