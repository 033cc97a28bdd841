//! Follows the frames of a WebSocket as they pass (RFC 6455 section 5.2), so that a frame of the router's own can be
//! put between two of them. What the frames say is not looked at, but for whether one closes.

/// The status that says that a server goes away (RFC 6455 section 7.4.1).
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// A head has at most two bytes, eight of length and four of mask.
const LONGEST: usize = 14;

/// One direction of a WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; LONGEST],
    /// How many bytes of the present head have passed.
    have: usize,
    /// How many bytes of payload are still to pass.
    payload: u64,
    closed: bool,
}

impl Frames {
    /// Notes that `bytes` have passed.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// Notes that of `bytes` those pass that belong to the present frame, and returns how many.
    pub(crate) fn finish(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() && !self.is_between() {
            passed += self.step(&bytes[passed..]);
        }
        passed
    }

    /// Returns whether the last byte that passed ended a frame.
    pub(crate) fn is_between(&self) -> bool {
        self.have == 0 && self.payload == 0
    }

    /// Returns whether a frame that closes has begun to pass.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes bytes of one head or one payload, at least one, and returns how many.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.payload > 0 {
            let taken = bytes.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX));
            self.payload -= taken as u64;
            return taken;
        }
        self.head[self.have] = bytes[0];
        self.have += 1;
        if self.have == 1 {
            self.closed |= bytes[0] & 0x0f == 8;
        }
        if let Some(payload) = payload(&self.head[..self.have]) {
            (self.have, self.payload) = (0, payload);
        }
        1
    }
}

/// Returns the length of the payload after a head, or nothing when the head is not whole.
fn payload(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    if head.len() < 2 + extended + mask {
        return None;
    }
    let long = head[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    Some(if extended == 0 { u64::from(second & 0x7f) } else { long })
}

/// Returns the frame that tells a client that its server goes away.
pub(crate) fn goodbye() -> Vec<u8> {
    [&[0x88, 2], &GOING_AWAY[..]].concat()
}

/// Returns the frame that tells a server that its client goes away, masked as all frames of clients are.
pub(crate) fn masked_goodbye(mask: [u8; 4]) -> Vec<u8> {
    let said = [GOING_AWAY[0] ^ mask[0], GOING_AWAY[1] ^ mask[1]];
    [&[0x88, 0x82], &mask[..], &said[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(opcode: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).unwrap()),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([7; 4].iter().take(if masked { 4 } else { 0 }));
        frame.extend(std::iter::repeat_n(0x88, length));
        frame
    }

    proptest! {
        #[test]
        fn the_end_of_each_frame_is_found_however_its_bytes_come(
            lengths in proptest::collection::vec(prop_oneof![0_usize..300, 65_530_usize..65_540], 1..5),
            masked in any::<bool>(),
            piece in 1_usize..70_000,
        ) {
            let frames: Vec<_> = lengths.iter().map(|length| frame(2, masked, *length)).collect();
            let mut seen = Frames::default();
            for frame in &frames {
                for part in frame[..frame.len() - 1].chunks(piece) {
                    seen.pass(part);
                    prop_assert!(!seen.is_between());
                }
                // The next frame's bytes come along and are told apart.
                let rest = [&frame[frame.len() - 1..], &frames[0][..]].concat();
                prop_assert_eq!(seen.finish(&rest), 1);
                prop_assert!(seen.is_between() && !seen.is_closed());
            }
        }
    }

    #[test]
    fn both_goodbyes_are_whole_frames_that_close() {
        for bytes in [goodbye(), masked_goodbye([1, 2, 3, 4])] {
            let mut seen = Frames::default();
            seen.pass(&bytes);
            assert!(seen.is_between() && seen.is_closed());
        }
        assert_eq!(masked_goodbye([0; 4])[6..], 1001_u16.to_be_bytes());
    }
}
