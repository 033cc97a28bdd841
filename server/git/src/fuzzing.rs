//! Doors into what is private here, for the targets in `fuzz/`. They decide nothing, and are compiled only by
//! cargo-fuzz, which sets `--cfg fuzzing`.

use std::io::Read;

use crate::archive::Item;
use crate::pkt::{self, Pkt};
use crate::push::{Reader, check_name};
use crate::{ImportError, ImportLimits, RefUpdate, archive, import};

/// The beginning of a push, as it was understood.
#[derive(Debug, PartialEq, Eq)]
pub struct PushHead {
    /// What is asked for, and whether the name may be one of a reference that clients move.
    pub updates: Vec<(RefUpdate, bool)>,
    /// What came with `git push -o`.
    pub options: Vec<String>,
    /// What follows.
    pub rest: Vec<u8>,
}

/// The data of a pkt-line, none of one without, and what follows it.
pub type Split<'a> = (Option<&'a [u8]>, &'a [u8]);

/// A path, and what git is told of it.
pub type Told = (Vec<u8>, Vec<u8>);

/// Returns the first pkt-line; nothing while it is not whole.
#[expect(clippy::result_unit_err, reason = "nobody tells the user of a fuzzer why")]
pub fn split_pkt(buffer: &[u8]) -> Result<Option<Split<'_>>, ()> {
    let split = pkt::split(buffer).map_err(|_| ())?;
    Ok(split.map(|(line, rest)| match line {
        Pkt::Data(data) => (Some(data), rest),
        Pkt::Flush => (None, rest),
    }))
}

/// Appends a pkt-line.
pub fn put_pkt(out: &mut Vec<u8>, data: &[u8]) {
    pkt::put(out, data);
}

/// Reads the beginning of a push from pieces; nothing if they end before it does.
///
/// # Errors
/// What the person who pushes is told.
pub fn push_head<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<PushHead>, String> {
    let (mut reader, mut pieces) = (Reader::default(), pieces.into_iter());
    for piece in pieces.by_ref() {
        let Some(rest) = reader.take(piece).map_err(|error| error.to_string())? else { continue };
        let rest = pieces.fold(rest.to_vec(), |rest, piece| [&rest, piece].concat());
        let judged = |update: RefUpdate| {
            let admitted = check_name(&update.name).is_ok();
            (update, admitted)
        };
        let updates = reader.head.updates.into_iter().map(judged).collect();
        return Ok(Some(PushHead { updates, options: reader.head.options, rest }));
    }
    Ok(None)
}

/// Reads a tar.gz and returns what `git fast-import` is told of each file and link.
///
/// # Errors
/// What an upload is refused for.
pub fn imported(archive: impl Read, limits: &ImportLimits) -> Result<Vec<Told>, ImportError> {
    let mut told = Vec::new();
    archive::read(archive, limits, |item: Item<'_>| {
        let (path, mut words) = (item.path.clone(), Vec::new());
        import::write_item(item, &mut words)?;
        told.push((path, words));
        Ok::<_, ImportError>(())
    })?;
    Ok(told)
}
