//! What may be repeated: only what reads. A launch whose answer was lost must not be sent again before somebody has
//! looked, and an empty zone is not asked three times.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};

use crate::pace;

/// Forbids the SDK to repeat what changes something.
#[derive(Debug)]
pub(crate) struct OnlyReading;

impl ClassifyRetry for OnlyReading {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.request() {
            Some(request) if reads(request) => RetryAction::NoActionIndicated,
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "only what reads is repeated"
    }

    /// After all others, so that none overrules it.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

fn reads(request: &HttpRequest) -> bool {
    match pace::action(request) {
        Some(action) => ["Describe", "Get", "List"].iter().any(|verb| action.starts_with(verb)),
        None => matches!(request.method(), "GET" | "HEAD"),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn repeats(method: &str, body: &'static str) -> bool {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).unwrap();
        reads(&request)
    }

    #[test]
    fn what_changes_something_is_sent_once() {
        assert!(repeats("POST", "Action=DescribeInstances&Version=2016-11-15"));
        assert!(repeats("POST", "Action=GetRole&Version=2010-05-08") && repeats("HEAD", ""));
        assert!(!repeats("POST", "Action=RunInstances&Version=2016-11-15"));
        assert!(!repeats("POST", "Action=CreateVpc&Version=2016-11-15") && !repeats("PUT", ""));
    }
}
