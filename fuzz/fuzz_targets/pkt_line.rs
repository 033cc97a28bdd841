//! Bytes of git's wire protocol: what is split off is what was put, whatever comes in between and in whatever pieces.
#![no_main]

use git::fuzzing::{put_pkt, split_pkt};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((data, after))) = split_pkt(rest) {
        let (line, same) = rest.split_at(rest.len() - after.len());
        assert_eq!(same, after, "what follows is the end of what was given");
        assert!(line.len() >= 4, "it goes on");
        for cut in [0, 1, 3, 4, line.len() - 1].into_iter().filter(|cut| *cut < line.len()) {
            assert_eq!(split_pkt(&line[..cut]), Ok(None), "a part of a line is none");
        }
        if let Some(data) = data {
            let mut put = Vec::new();
            put_pkt(&mut put, data);
            assert!(put[..4].eq_ignore_ascii_case(&line[..4]) && put[4..] == line[4..]);
        }
        rest = after;
    }

    let mut put = Vec::new();
    put_pkt(&mut put, bytes);
    put.extend_from_slice(bytes);
    let (data, after) = split_pkt(&put).expect("it was put").expect("it is whole");
    let data = data.expect("it has data");
    assert!(bytes.starts_with(data) && (data.len() == bytes.len() || data.len() == 65_516));
    assert_eq!(after, bytes);
});
