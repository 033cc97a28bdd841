//! What a failed call to AWS means for who made it. EC2 has no typed errors, and the same condition has several codes
//! across the services, so it is decided here, by code and status alone.

use std::fmt;

/// What the caller decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too many calls: nothing was done, and the same call may be made again later.
    Throttled,
    /// There are no such instances in that zone just now; another zone or type may have some.
    NoCapacity,
    /// What the call speaks of is not known. Right after it was made that means nothing: AWS tells its parts late.
    Unknown,
    /// The credentials are missing, wrong or have expired. Says nothing of what exists.
    Credentials,
    /// The credentials may not do this.
    Denied,
    /// A limit of the account or of the service is reached.
    LimitReached,
    /// It exists already, with other settings, or something still uses it.
    Conflict,
    /// No answer, or one that says nothing: it may have been done, and it may not.
    Lost,
    /// Nobody listens at the endpoint, so nothing was done.
    Unreachable,
    /// The endpoint does not know the call. AWS knows all of them; a simulation may not.
    Unimplemented,
    /// The call makes no sense to AWS, and will make none when repeated.
    Refused,
}

/// What came back from a call that failed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// AWS's code, such as `InvalidInstanceID.NotFound`.
    pub code: Option<&'a str>,
    /// Whether the body is a page for people.
    pub html: bool,
}

impl Kind {
    /// Returns what an answer means.
    #[must_use]
    pub fn of(answer: &Answer<'_>) -> Self {
        match (answer.code, answer.status) {
            (Some(code), status) => Self::of_code(code, status),
            (None, Some(429)) => Self::Throttled,
            (None, Some(500..)) if answer.html => Self::Unimplemented,
            (None, Some(403)) => Self::Denied,
            (None, Some(404)) => Self::Unknown,
            (None, Some(400..500)) => Self::Refused,
            (None, _) => Self::Lost,
        }
    }

    fn of_code(code: &str, status: Option<u16>) -> Self {
        if THROTTLED.contains(&code) {
            Self::Throttled
        } else if NO_CAPACITY.contains(&code) {
            Self::NoCapacity
        } else if CREDENTIALS.contains(&code) {
            Self::Credentials
        } else if DENIED.contains(&code) {
            Self::Denied
        } else if UNIMPLEMENTED.contains(&code) {
            Self::Unimplemented
        } else if LIMITS.contains(&code) || code.ends_with("LimitExceeded") || code.starts_with("TooMany") {
            Self::LimitReached
        } else if is_unknown(code) {
            Self::Unknown
        } else if CONFLICTS.contains(&code) || is_conflict(code) {
            Self::Conflict
        } else if status.is_none_or(|status| status >= 500) {
            Self::Lost
        } else {
            Self::Refused
        }
    }

    /// Tells whether the same call may do better in a moment.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Throttled | Self::Lost | Self::Unreachable)
    }

    /// Tells whether a look at what there is may show that a step was done all the same, or can be taken now.
    #[must_use]
    pub fn is_unclear(self) -> bool {
        self.is_passing() || matches!(self, Self::Conflict | Self::Unknown)
    }
}

fn is_unknown(code: &str) -> bool {
    let ends = ["NotFound", ".NotFoundException", "NotFoundError"];
    // A certificate is never one that was made a moment ago: its ARN is wrong, or it is one of another region.
    if code == "CertificateNotFound" {
        return false;
    }
    code == "InvalidTarget" || code.starts_with("NoSuch") || ends.iter().any(|end| code.ends_with(end))
}

fn is_conflict(code: &str) -> bool {
    ["Duplicate", "AlreadyExists", ".InUse", "InUseException", ".Conflict", "AlreadyAssociated"]
        .iter()
        .any(|part| code.contains(part))
}

/// The SDK's own list of codes for throttling, and what traces show beside it.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// What says of one pool, a type in a zone, that it is empty.
const NO_CAPACITY: &[&str] = &[
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "SpotMaxPriceTooLow",
    "UnfulfillableCapacity",
    "Unsupported",
];

const CREDENTIALS: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const DENIED: &[&str] = &["AccessDenied", "AccessDeniedException", "Blocked", "UnauthorizedOperation"];

const UNIMPLEMENTED: &[&str] = &["InvalidAction", "NotImplemented", "UnknownOperationException"];

/// Limits that the code does not name as such.
const LIMITS: &[&str] = &[
    "LimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "TargetGroupAssociationLimit",
    "TooManyBuckets",
];

/// What EC2 says of a client token whose instance has ended, for as long as it remembers the token: a day and more, when it has
/// long ceased to show the instance.
pub(crate) const TOKEN_USED_UP: &str = "IdempotentInstanceTerminated";

const CONFLICTS: &[&str] = &[
    "BucketNotEmpty",
    "ConcurrentModification",
    "DeleteConflict",
    "DependencyViolation",
    "EntityAlreadyExists",
    "EntityTemporarilyUnmodifiable",
    TOKEN_USED_UP,
    "IdempotentParameterMismatch",
    "IncorrectState",
    "IncorrectInstanceState",
    "InvalidState",
    "OperationAborted",
    "OperationNotPermitted",
    "PriorityInUse",
    "Resource.AlreadyAssociated",
    "ResourceInUse",
    "VolumeInUse",
];

/// A call to AWS that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// What it means.
    pub kind: Kind,
    /// What was asked for, as policies name it, such as `ec2:RunInstances`.
    pub action: &'static str,
    /// AWS's code, or what kept the call from being answered.
    pub code: String,
    /// AWS's sentence.
    pub message: String,
}

impl Failure {
    /// Returns whether EC2 calls the name of an instance profile an invalid value, as it does until a new one is known everywhere.
    #[must_use]
    pub fn is_about_profile(&self) -> bool {
        self.code == "InvalidParameterValue" && self.message.contains("rofile")
    }

    /// Returns what helps, in whole sentences.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.kind {
            Kind::Throttled => "Other tools in the account use up its calls; it is enough to run this again later.".into(),
            Kind::NoCapacity => "Another instance type or zone may have room.".into(),
            Kind::Credentials => {
                "Sign in anew, for example with `aws sso login`, or set AWS_PROFILE, and run this again; it goes on \
                 where it stopped."
                    .into()
            }
            Kind::Denied => {
                let zone = if self.action.starts_with("route53:") { " --dns-zone ZONE" } else { "" };
                format!(
                    "The credentials need the permission {}; `paasctl aws:policy installer{zone}` shows what setting up needs.",
                    self.action
                )
            }
            Kind::LimitReached => "Ask AWS for a higher limit under Service Quotas, or remove what is not needed.".into(),
            Kind::Unreachable => "Look at the network, the region and AWS_ENDPOINT_URL.".into(),
            Kind::Unimplemented => "AWS_ENDPOINT_URL names something that does not know this call.".into(),
            Kind::Lost => "It may have been done or not; running this again finds out.".into(),
            Kind::Unknown | Kind::Conflict | Kind::Refused => {
                "`paasctl aws:plan` shows how things stand.".into()
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Throttled => "AWS takes no more calls just now",
            Kind::NoCapacity => "AWS has no such capacity just now",
            Kind::Unknown => "AWS does not know what it was asked about",
            Kind::Credentials => "AWS does not accept the credentials",
            Kind::Denied => "AWS does not allow this",
            Kind::LimitReached => "a limit of the AWS account is reached",
            Kind::Conflict => "it is in use, or exists with other settings",
            Kind::Lost => "AWS gave no answer that says whether it was done",
            Kind::Unreachable => "AWS cannot be reached",
            Kind::Unimplemented => "the endpoint does not know this call",
            Kind::Refused => "AWS refused",
        };
        write!(f, "{}: {what} ({}", self.action, self.code)?;
        if !self.message.is_empty() && self.message != self.code {
            write!(f, ": {}", model::wording::plain(&self.message, 400))?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, status: u16) -> Kind {
        Kind::of(&Answer { status: Some(status), code: Some(code), html: false })
    }

    #[test]
    fn each_code_means_what_its_caller_decides_on() {
        let cases = [
            ("RequestLimitExceeded", 503, Kind::Throttled),
            ("Throttling", 400, Kind::Throttled),
            ("PriorRequestNotComplete", 429, Kind::Throttled),
            ("SlowDown", 503, Kind::Throttled),
            // An internal error by its status; the SDK would hammer the empty zone.
            ("InsufficientInstanceCapacity", 500, Kind::NoCapacity),
            ("InsufficientFreeAddressesInSubnet", 400, Kind::NoCapacity),
            ("InvalidInstanceID.NotFound", 400, Kind::Unknown),
            ("InvalidVpcID.NotFound", 400, Kind::Unknown),
            ("TargetGroupNotFound", 400, Kind::Unknown),
            ("CertificateNotFound", 400, Kind::Refused),
            ("NatGatewayNotFound", 400, Kind::Unknown),
            ("NoSuchEntity", 404, Kind::Unknown),
            ("InvalidTarget", 400, Kind::Unknown),
            ("NoSuchTagSet", 404, Kind::Unknown),
            ("ServerSideEncryptionConfigurationNotFoundError", 404, Kind::Unknown),
            ("InvalidLaunchTemplateName.NotFoundException", 400, Kind::Unknown),
            ("RequestExpired", 400, Kind::Credentials),
            ("ExpiredToken", 403, Kind::Credentials),
            ("AuthFailure", 401, Kind::Credentials),
            ("UnauthorizedOperation", 403, Kind::Denied),
            ("AccessDenied", 403, Kind::Denied),
            ("VcpuLimitExceeded", 400, Kind::LimitReached),
            ("VpcLimitExceeded", 400, Kind::LimitReached),
            ("TooManyRules", 400, Kind::LimitReached),
            ("MaxSpotInstanceCountExceeded", 400, Kind::LimitReached),
            ("IdempotentParameterMismatch", 400, Kind::Conflict),
            ("IdempotentInstanceTerminated", 400, Kind::Conflict),
            ("DependencyViolation", 400, Kind::Conflict),
            ("InvalidGroup.Duplicate", 400, Kind::Conflict),
            ("InvalidSubnet.Conflict", 400, Kind::Conflict),
            ("InvalidLaunchTemplateName.AlreadyExistsException", 400, Kind::Conflict),
            ("RouteAlreadyExists", 400, Kind::Conflict),
            ("EntityAlreadyExists", 409, Kind::Conflict),
            ("PriorityInUse", 400, Kind::Conflict),
            ("VolumeInUse", 400, Kind::Conflict),
            ("InternalError", 500, Kind::Lost),
            ("Unavailable", 503, Kind::Lost),
            ("InvalidAction", 400, Kind::Unimplemented),
            ("InvalidParameterValue", 400, Kind::Refused),
            ("ValidationError", 400, Kind::Refused),
        ];
        for (code, status, means) in cases {
            assert_eq!(kind(code, status), means, "{code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_judged_by_its_status() {
        let of = |status, html| Kind::of(&Answer { status, code: None, html });
        assert_eq!(of(None, false), Kind::Lost);
        assert_eq!(of(Some(200), false), Kind::Lost);
        assert_eq!(of(Some(502), false), Kind::Lost);
        assert_eq!(of(Some(500), true), Kind::Unimplemented);
        assert_eq!(of(Some(404), false), Kind::Unknown);
        assert_eq!(of(Some(403), false), Kind::Denied);
    }

    #[test]
    fn only_what_did_nothing_or_may_have_done_nothing_is_worth_repeating() {
        assert!(Kind::Throttled.is_passing() && Kind::Lost.is_passing());
        assert!(!Kind::NoCapacity.is_passing() && !Kind::Denied.is_passing() && !Kind::Conflict.is_passing());
    }

    #[test]
    fn a_denial_names_the_permission() {
        let failure = Failure {
            kind: Kind::Denied,
            action: "ec2:CreateVpc",
            code: "UnauthorizedOperation".into(),
            message: "You are not authorized to perform this operation.".into(),
        };
        assert!(failure.hint().contains("permission ec2:CreateVpc"));
        assert_eq!(
            failure.to_string(),
            "ec2:CreateVpc: AWS does not allow this (UnauthorizedOperation: You are not authorized to perform this operation.)"
        );
    }
}
