//! What a load balancer says of a target, and what that is worth. The agent's probe and the balancer's check are two
//! witnesses: a replica serves when both say so, and an answer through a balancer that has failed open says nothing.

use std::fmt;

/// The balancer's view of a target, see `TargetHealth` of `ELBv2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    /// It is being registered or was not checked often enough.
    Initial,
    /// It passes the checks and gets requests.
    Healthy,
    /// It fails them.
    Unhealthy {
        /// The reason's code, such as `Target.Timeout`.
        reason: String,
    },
    /// It gets nothing: its group has no rule, or its zone is not the balancer's.
    Unused {
        /// The reason's code, such as `Target.NotInUse`.
        reason: String,
    },
    /// It finishes what it has and gets nothing new.
    Draining,
    /// Nobody knows.
    Unavailable,
}

impl TargetHealth {
    /// Reads a state of `ELBv2`. What is new there says nothing.
    #[must_use]
    pub fn of(state: &str, reason: &str) -> Self {
        let reason = || crate::wording::plain(reason, 80);
        match state {
            "initial" => Self::Initial,
            "healthy" => Self::Healthy,
            "unhealthy" | "unhealthy.draining" => Self::Unhealthy { reason: reason() },
            "unused" => Self::Unused { reason: reason() },
            "draining" => Self::Draining,
            _ => Self::Unavailable,
        }
    }

    /// Tells whether anything at the target's address answers; nothing if that cannot be told from this. A check that failed in
    /// another way than by its time may have been refused by the host, or by what is before it.
    #[must_use]
    pub fn answers(&self) -> Option<bool> {
        match self {
            Self::Healthy => Some(true),
            Self::Unhealthy { reason } if reason == "Target.ResponseCodeMismatch" => Some(true),
            Self::Unhealthy { reason } if reason == "Target.Timeout" => Some(false),
            _ => None,
        }
    }
}

impl fmt::Display for TargetHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initial => f.write_str("the load balancer has not checked it often enough yet"),
            Self::Healthy => f.write_str("the load balancer finds it healthy"),
            Self::Unhealthy { reason } => write!(f, "the load balancer finds it unhealthy ({reason})"),
            Self::Unused { reason } => write!(f, "the load balancer does not use it ({reason})"),
            Self::Draining => f.write_str("the load balancer lets it finish"),
            Self::Unavailable => f.write_str("the load balancer does not say how it is"),
        }
    }
}

/// Tells whether a replica counts as serving: its agent finds it healthy, and so does the balancer.
#[must_use]
pub fn serves(probe_is_good: bool, balancer: Option<&TargetHealth>) -> bool {
    probe_is_good && balancer == Some(&TargetHealth::Healthy)
}

/// Tells whether the balancer has let go of a target, so that no request is lost if it stops. One that is not in the list is
/// gone; about one of which nobody knows anything nothing is concluded. The list must have been made after the target was
/// deregistered: in an older one it may be absent because it was not registered yet.
#[must_use]
pub fn is_drained(balancer: Option<&TargetHealth>) -> bool {
    matches!(balancer, None | Some(TargetHealth::Unused { .. }))
}

/// Tells whether a group sends requests to targets that fail its checks, because it has none that pass: what answers through
/// it then is no proof of health.
#[must_use]
pub fn has_failed_open<'a>(targets: impl IntoIterator<Item = &'a TargetHealth>) -> bool {
    let mut unhealthy = false;
    for target in targets {
        match target {
            TargetHealth::Healthy => return false,
            TargetHealth::Unhealthy { .. } => unhealthy = true,
            _ => {}
        }
    }
    unhealthy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhealthy() -> TargetHealth {
        TargetHealth::of("unhealthy", "Target.Timeout")
    }

    #[test]
    fn a_timeout_is_no_answer_and_a_wrong_one_is() {
        assert_eq!(unhealthy().answers(), Some(false));
        assert_eq!(TargetHealth::of("unhealthy", "Target.ResponseCodeMismatch").answers(), Some(true));
        assert_eq!(TargetHealth::Healthy.answers(), Some(true));
        for other in ["Target.FailedHealthChecks", "something new"] {
            assert_eq!(TargetHealth::of("unhealthy", other).answers(), None, "{other}");
        }
        assert_eq!(TargetHealth::Initial.answers(), None);
    }

    #[test]
    fn a_replica_serves_when_both_witnesses_say_so() {
        assert!(serves(true, Some(&TargetHealth::Healthy)));
        assert!(!serves(false, Some(&TargetHealth::Healthy)));
        for other in
            [None, Some(TargetHealth::Initial), Some(unhealthy()), Some(TargetHealth::of("new state", ""))]
        {
            assert!(!serves(true, other.as_ref()), "{other:?}");
        }
    }

    #[test]
    fn a_group_without_a_healthy_target_has_failed_open_and_an_empty_one_has_not() {
        assert!(has_failed_open(&[unhealthy(), TargetHealth::Initial]));
        assert!(!has_failed_open(&[unhealthy(), TargetHealth::Healthy]));
        assert!(!has_failed_open(&[TargetHealth::Initial]));
        assert!(!has_failed_open([]));
    }

    #[test]
    fn what_still_drains_or_is_not_known_is_not_let_go() {
        assert!(
            is_drained(None)
                && is_drained(Some(&TargetHealth::of("unused", "Target.DeregistrationInProgress")))
        );
        assert!(!is_drained(Some(&TargetHealth::Draining)) && !is_drained(Some(&TargetHealth::Unavailable)));
    }
}
