//! Decides which replica gets a request: the one with the fewest in flight; ties go round.

use crate::backend::Backend;
use std::sync::Arc;

/// Returns the backend with the fewest requests in flight, leaving out the serials in `tried`.
///
/// The search begins at `turn`, so that equals take turns. A replica that takes no connections is chosen only when
/// there is no other.
pub(crate) fn choose<'a>(
    replicas: &'a [Arc<Backend>],
    turn: usize,
    tried: &[u64],
) -> Option<&'a Arc<Backend>> {
    let (before, after) = replicas.split_at(turn.checked_rem(replicas.len())?);
    let mut best: Option<(bool, usize, &Arc<Backend>)> = None;
    for backend in after.iter().chain(before) {
        if tried.contains(&backend.serial()) {
            continue;
        }
        let (out, load) = (backend.is_out(), backend.in_flight());
        if !out && load == 0 {
            return Some(backend);
        }
        if best.is_none_or(|(is_out, least, _)| (out, load) < (is_out, least)) {
            best = Some((out, load, backend));
        }
    }
    best.map(|(_, _, backend)| backend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Lease;
    use proptest::prelude::*;

    fn backends(loads: &[usize]) -> (Vec<Arc<Backend>>, Vec<Lease>) {
        let address = "127.0.0.1:1".parse().unwrap();
        let all: Vec<_> = loads.iter().map(|_| Backend::new("r", "web.1", address)).collect();
        let held = all
            .iter()
            .zip(loads)
            .flat_map(|(b, load)| (0..*load).map(|_| Lease::new(Arc::clone(b))).collect::<Vec<_>>());
        let held = held.collect();
        (all, held)
    }

    #[test]
    fn idle_replicas_take_turns() {
        let (all, _held) = backends(&[0, 0, 0]);
        let picked: Vec<_> = (0..3).map(|turn| choose(&all, turn, &[]).unwrap().serial()).collect();
        assert_eq!(picked, all.iter().map(|b| b.serial()).collect::<Vec<_>>());
    }

    #[test]
    fn a_replica_that_takes_no_connections_is_chosen_only_when_alone() {
        let (all, _held) = backends(&[0, 5]);
        all[0].judge(Err(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(choose(&all, 0, &[]).unwrap().serial(), all[1].serial());
        assert_eq!(choose(&all, 0, &[all[1].serial()]).unwrap().serial(), all[0].serial());
        all[1].judge(Err(std::io::ErrorKind::TimedOut));
        assert_eq!(choose(&all, 0, &[]).unwrap().serial(), all[0].serial());
        all[1].judge(Ok(()));
        assert_eq!(choose(&all, 0, &[]).unwrap().serial(), all[1].serial());
    }

    #[test]
    fn nothing_is_chosen_from_nothing() {
        assert!(choose(&[], 7, &[]).is_none());
        let (all, _held) = backends(&[1]);
        assert!(choose(&all, 0, &[all[0].serial()]).is_none());
    }

    proptest! {
        #[test]
        fn the_choice_is_never_busier_than_another(
            loads in proptest::collection::vec(0usize..6, 1..12),
            turn in any::<usize>(),
        ) {
            let (all, _held) = backends(&loads);
            let chosen = choose(&all, turn, &[]).unwrap();
            prop_assert_eq!(chosen.in_flight(), *loads.iter().min().unwrap());
        }
    }
}
