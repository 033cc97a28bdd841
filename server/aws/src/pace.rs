//! How fast we call. AWS counts calls per account and region, in buckets that refill; whoever empties one gets errors,
//! and so does every other tool in the account. We take half of each.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;

/// Longer than this no call waits for its turn: it is better that its caller knows.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The buckets of an account, as EC2's, ELB's and Route 53's developer guides give them: which calls, how many at once, how many a
/// second. The first that fits counts. IAM has no published numbers.
const BUCKETS: &[(&str, &[&str], u32, u32)] = &[
    ("ec2", &["RunInstances"], 5, 2),
    ("ec2", &["TerminateInstances"], 100, 5),
    ("ec2", &["CreateTags"], 100, 10),
    ("ec2", &["Describe", "Get"], 100, 20),
    ("ec2", &[""], 50, 5),
    ("elasticloadbalancing", &["RegisterTargets", "DeregisterTargets"], 20, 4),
    ("elasticloadbalancing", &[""], 40, 10),
    ("iam", &[""], 20, 10),
    ("route53", &[""], 5, 5),
];

/// The buckets that all clients of a process share.
#[derive(Debug)]
pub(crate) struct Pace {
    buckets: Vec<DefaultDirectRateLimiter>,
}

/// There would be no turn for this call within a time that is worth waiting.
#[derive(Debug, thiserror::Error)]
#[error("so many calls wait for their turn that this one was not made")]
pub(crate) struct TooMany;

impl Pace {
    pub(crate) fn new() -> Self {
        let limiter = |(_, _, burst, rate): &(_, _, u32, u32)| {
            let burst = NonZeroU32::new(burst / 2).unwrap_or(NonZeroU32::MIN);
            let period = Duration::from_secs(2) / (*rate).max(1);
            let quota = Quota::with_period(period).expect("no bucket has a period of zero");
            RateLimiter::direct(quota.allow_burst(burst))
        };
        Self { buckets: BUCKETS.iter().map(limiter).collect() }
    }

    /// Waits for a turn, but not long.
    async fn turn(&self, call: &Call) -> Result<(), TooMany> {
        let fits = |(service, actions, _, _): &(&str, &[&str], u32, u32)| {
            *service == call.service && actions.iter().any(|action| call.action.starts_with(action))
        };
        let Some(bucket) = BUCKETS.iter().position(fits).and_then(|n| self.buckets.get(n)) else {
            return Ok(());
        };
        let mut waited = Duration::ZERO;
        while let Err(early) = bucket.check() {
            let wait = early.wait_time_from(DefaultClock::default().now());
            waited += wait;
            if waited > LONGEST_WAIT {
                return Err(TooMany);
            }
            let jitter = Duration::from_millis(rand::random_range(1..50));
            tokio::time::sleep(wait + jitter).await;
        }
        Ok(())
    }
}

/// Which call a signed request makes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    service: String,
    /// Empty where the protocol has no such thing.
    action: String,
}

impl Call {
    /// Reads it from the request: the service from what was signed for, the action from the form.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let signed = request.headers().get("authorization").unwrap_or_default();
        let scope = signed.split("Credential=").nth(1).and_then(|rest| rest.split(',').next());
        let service = scope.and_then(|scope| scope.rsplit('/').nth(1)).unwrap_or_default();
        Self { service: service.to_owned(), action: action(request).unwrap_or_default().to_owned() }
    }
}

/// Returns the action of a form, such as `RunInstances`.
pub(crate) fn action(request: &HttpRequest) -> Option<&str> {
    let form = std::str::from_utf8(request.body().bytes()?).ok()?;
    form.split('&').find_map(|field| field.strip_prefix("Action="))
}

/// An HTTP client in which every attempt of every call waits for its turn, retries and further pages too.
#[derive(Debug)]
pub(crate) struct Paced {
    pub(crate) inner: SharedHttpClient,
    pub(crate) pace: Arc<Pace>,
}

impl HttpClient for Paced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector { inner, pace: Arc::clone(&self.pace) })
    }
}

#[derive(Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    pace: Arc<Pace>,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, pace) = (self.inner.clone(), Arc::clone(&self.pace));
        HttpConnectorFuture::new(async move {
            let call = Call::of(&request);
            pace.turn(&call).await.map_err(|error| ConnectorError::other(error.into(), None))?;
            tracing::trace!(service = call.service, action = call.action, "calls AWS");
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn request(scope: &str, form: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(form));
        let signed =
            format!("AWS4-HMAC-SHA256 Credential=AKID/20261121/{scope}/aws4_request, SignedHeaders=host");
        request.headers_mut().insert("authorization", signed);
        request
    }

    #[test]
    fn a_request_says_which_call_it_makes() {
        let call = Call::of(&request("us-east-1/ec2", "Action=RunInstances&Version=2016-11-15"));
        assert_eq!(call, Call { service: "ec2".into(), action: "RunInstances".into() });
        assert_eq!(Call::of(&HttpRequest::new(SdkBody::empty())).service, "");
    }

    #[tokio::test]
    async fn launches_have_a_narrow_bucket_and_do_not_take_from_describes() {
        let pace = Pace::new();
        let of = |action: &str| Call { service: "ec2".into(), action: action.into() };
        for _ in 0..2 {
            pace.turn(&of("RunInstances")).await.unwrap();
        }
        let bucket = pace.buckets.first().unwrap();
        assert!(bucket.check().is_err(), "two launches at once are half of what an account has");
        for _ in 0..50 {
            pace.turn(&of("DescribeInstances")).await.unwrap();
        }
    }
}
