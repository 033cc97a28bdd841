//! The edge of the SDK: its errors become ours here, and nowhere else.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::failure::{Answer, Failure, Kind};
use crate::pace::TooMany;

/// Says of a call's outcome which call it was.
pub trait Of<T> {
    /// Returns the outcome with our error; `action` is what policies call it, such as `ec2:RunInstances`.
    ///
    /// # Errors
    /// The call failed.
    fn of(self, action: &'static str) -> Result<T, Failure>;
}

impl<T, E> Of<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn of(self, action: &'static str) -> Result<T, Failure> {
        self.map_err(|error| failure(action, &error))
    }
}

fn failure<E>(action: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (code, message) = match error {
        SdkError::ServiceError(answer) => (answer.err().code(), answer.err().message()),
        _ => (None, None),
    };
    let raw = error.raw_response();
    let answer =
        Answer { status: raw.map(|raw| raw.status().as_u16()), code, html: raw.is_some_and(is_html) };
    let kind = match error {
        SdkError::ConstructionFailure(_) => Kind::Refused,
        SdkError::TimeoutError(_) => Kind::Lost,
        SdkError::DispatchFailure(_) => unsent(error).unwrap_or(Kind::Lost),
        _ => Kind::of(&answer),
    };
    let code = code.map(str::to_owned).unwrap_or_else(|| without_code(error, answer.status));
    let message = message.map_or_else(|| innermost(error), str::to_owned);
    Failure { kind, action, code, message }
}

fn without_code<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>) -> String {
    match (error, status) {
        (SdkError::TimeoutError(_), _) => "no answer in time".into(),
        (_, Some(status)) => format!("HTTP {status}"),
        _ => "no answer".into(),
    }
}

/// Returns why nothing was sent, if that is certain.
fn unsent(error: &(dyn Error + 'static)) -> Option<Kind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooMany>() {
            return Some(Kind::Throttled);
        }
        if error.is::<CredentialsError>() {
            return Some(Kind::Credentials);
        }
        let refused = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if refused == Some(io::ErrorKind::ConnectionRefused) {
            return Some(Kind::Unreachable);
        }
        cause = error.source();
    }
    None
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn is_html(raw: &HttpResponse) -> bool {
    let body = raw.body().bytes().unwrap_or_default();
    let begins = |with: &[u8]| body.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins(b"<!doctype html") || begins(b"<html")
}
