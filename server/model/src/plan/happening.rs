//! What may happen in a history, and how often a test lets it.

use proptest::prelude::*;

/// What happens in one turn, beside what was planned.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Nothing,
    Deploy {
        broken: bool,
        command: bool,
    },
    Restart,
    Scale {
        web: bool,
        quantity: u32,
    },
    Replace(usize),
    LoseHost(usize),
    DrainHost(usize),
    SilenceHost(usize),
    ReturnHosts,
    /// Seconds, forwards or backwards.
    ClockJumps(i64),
    Report(Delivery),
}

/// What becomes of the reports of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivery {
    Fresh,
    Lost,
    /// That of some turns ago comes (again).
    Old(usize),
}

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let delivery = prop_oneof![Just(Delivery::Lost), (1usize..8).prop_map(Delivery::Old)];
    let one = prop_oneof![
        8 => Just(Happening::Nothing),
        2 => (prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(broken, command)| Happening::Deploy { broken, command }),
        1 => Just(Happening::Restart),
        2 => (any::<bool>(), 0u32..5).prop_map(|(web, quantity)| Happening::Scale { web, quantity }),
        1 => (0usize..8).prop_map(Happening::Replace),
        1 => (0usize..4).prop_map(Happening::LoseHost),
        1 => (0usize..4).prop_map(Happening::DrainHost),
        1 => (0usize..4).prop_map(Happening::SilenceHost),
        1 => Just(Happening::ReturnHosts),
        1 => (-1_000i64..1_000).prop_map(Happening::ClockJumps),
        4 => delivery.prop_map(Happening::Report),
    ];
    prop::collection::vec(one, 1..60)
}
