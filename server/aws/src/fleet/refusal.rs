//! What a failed launch means for the fleet: EC2's codes in the words of `model::instances`.

use model::instances::Refusal;

use crate::failure::{Failure, Kind};

/// Codes of a kind that mean something of their own to a launch (Error codes for the Amazon EC2 API).
const OWN: &[(&str, Refusal)] = &[
    ("InsufficientFreeAddressesInSubnet", Refusal::NoAddress),
    // This type does not exist in this zone.
    ("Unsupported", Refusal::NotOffered),
    ("MaxSpotInstanceCountExceeded", Refusal::SpotLimit),
    ("IdempotentParameterMismatch", Refusal::Mismatch),
    // The order was carried out, and what came of it has ended since: the list says so.
    ("IdempotentInstanceTerminated", Refusal::Mismatch),
    // The account itself may start nothing (yet).
    ("OptInRequired", Refusal::Forbidden),
    ("PendingVerification", Refusal::Forbidden),
    ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", Refusal::Forbidden),
];

/// Returns why there is no instance.
#[must_use]
pub fn refusal(failure: &Failure) -> Refusal {
    if let Some((_, own)) = OWN.iter().find(|(code, _)| *code == failure.code) {
        return *own;
    }
    if failure.is_about_profile() {
        return Refusal::Throttled;
    }
    match failure.kind {
        Kind::NoCapacity => Refusal::NoCapacity,
        Kind::LimitReached => Refusal::Limit,
        Kind::Throttled => Refusal::Throttled,
        Kind::Denied => Refusal::Forbidden,
        Kind::Credentials => Refusal::Expired,
        // Nothing was done where nobody listens, but asking again costs nothing either.
        Kind::Lost | Kind::Unreachable => Refusal::Unanswered,
        Kind::Unknown | Kind::Conflict | Kind::Unimplemented | Kind::Refused => Refusal::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use model::instances::{Lifecycle, Pool, consequence};

    use super::*;
    use crate::failure::Answer;

    fn judged(code: &str, status: u16) -> Refusal {
        let kind = Kind::of(&Answer { status: Some(status), code: Some(code), html: false });
        let (action, message) = ("ec2:RunInstances", String::new());
        refusal(&Failure { kind, action, code: code.to_owned(), message })
    }

    #[test]
    fn each_code_of_a_launch_means_what_follows_from_it() {
        for (code, status, means) in [
            ("InsufficientInstanceCapacity", 500, Refusal::NoCapacity),
            ("InsufficientHostCapacity", 500, Refusal::NoCapacity),
            ("UnfulfillableCapacity", 500, Refusal::NoCapacity),
            ("SpotMaxPriceTooLow", 400, Refusal::NoCapacity),
            ("InsufficientFreeAddressesInSubnet", 400, Refusal::NoAddress),
            ("Unsupported", 400, Refusal::NotOffered),
            ("VcpuLimitExceeded", 400, Refusal::Limit),
            ("InstanceLimitExceeded", 400, Refusal::Limit),
            ("VolumeLimitExceeded", 400, Refusal::Limit),
            ("MaxSpotInstanceCountExceeded", 400, Refusal::SpotLimit),
            ("RequestLimitExceeded", 503, Refusal::Throttled),
            ("UnauthorizedOperation", 403, Refusal::Forbidden),
            ("OptInRequired", 401, Refusal::Forbidden),
            ("PendingVerification", 400, Refusal::Forbidden),
            ("RequestExpired", 400, Refusal::Expired),
            ("AuthFailure", 401, Refusal::Expired),
            ("IdempotentParameterMismatch", 400, Refusal::Mismatch),
            ("IdempotentInstanceTerminated", 400, Refusal::Mismatch),
            ("InvalidAMIID.NotFound", 400, Refusal::Invalid),
            ("InvalidParameterValue", 400, Refusal::Invalid),
            ("InternalError", 500, Refusal::Unanswered),
            ("Unavailable", 503, Refusal::Unanswered),
        ] {
            assert_eq!(judged(code, status), means, "{code}");
        }
    }

    #[test]
    fn a_profile_that_is_not_known_yet_is_asked_for_again_soon() {
        let (action, code) = ("ec2:RunInstances", "InvalidParameterValue".to_owned());
        let message = "Value (paas-prod-host) for parameter iamInstanceProfile.name is invalid".to_owned();
        let early = Failure { kind: Kind::Refused, action, code, message };
        assert_eq!(refusal(&early), Refusal::Throttled);
    }

    #[test]
    fn what_may_have_been_done_never_ends_an_order() {
        let pool =
            Pool { zone: "a".to_owned(), instance_type: "t3.medium".to_owned(), lifecycle: Lifecycle::Spot };
        for kind in [Kind::Lost, Kind::Unreachable, Kind::Throttled, Kind::Credentials] {
            let (action, code) = ("ec2:RunInstances", String::new());
            let why = refusal(&Failure { kind, action, code, message: String::new() });
            assert!(!consequence(why, &pool, 0, "no", Timestamp::UNIX_EPOCH).over, "{kind:?}");
        }
    }
}
