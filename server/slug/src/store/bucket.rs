//! A store that is a bucket: how it is reached, how often something is tried again, and what to say when it will not.

use std::{error::Error as _, fmt::Write as _, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    prefix::PrefixStore,
};

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a request may take, with the piece of an image that it carries.
const REQUEST_WITHIN: Duration = Duration::from_secs(120);
/// How long nothing may come.
const SILENT: Duration = Duration::from_secs(20);
/// How often a request is repeated that may be: 5xx, `SlowDown`, a connection that breaks.
const RETRIES: usize = 6;
/// How long it is repeated.
const RETRY_WITHIN: Duration = Duration::from_secs(60);
/// What it waits at first and at most before it repeats one.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(8));

/// Opens a bucket with the credentials, the region and the endpoint that variables such as `AWS_ACCESS_KEY_ID` name.
pub(crate) fn open(
    bucket: &str,
    prefix: &str,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    // Of the whole process; whoever came first is right, too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings: Vec<(AmazonS3ConfigKey, String)> = variables
        .filter(|(name, _)| name.starts_with("AWS_"))
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
        .collect();
    let in_the_clear = settings.iter().any(|(key, url)| {
        matches!(key, AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint)
            && url.starts_with("http://")
    });
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_WITHIN)
        .with_timeout(REQUEST_WITHIN)
        .with_read_timeout(SILENT)
        // Who names such an endpoint has said so.
        .with_allow_http(in_the_clear);
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: WAIT.0, max_backoff: WAIT.1, base: 2.0 },
        max_retries: RETRIES,
        retry_timeout: RETRY_WITHIN,
    };
    let builder = AmazonS3Builder::new().with_client_options(client).with_retry(retry);
    let builder = settings.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value));
    let store = builder.with_bucket_name(bucket).build()?;
    if prefix.is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

/// Tells whether trying again would be of no use: somebody must change something first.
pub(crate) fn is_final(error: &object_store::Error) -> bool {
    use object_store::Error;
    matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
        || code(error).is_some_and(|code| {
            matches!(
                code.as_str(),
                "NoSuchBucket" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AccessDenied"
            )
        })
}

/// Returns why a store did not do what was asked, as the rest of a sentence. What the store said in full may hold keys,
/// and is not repeated.
#[must_use]
pub fn reason(error: &object_store::Error) -> String {
    use object_store::Error;
    let code = code(error);
    let said = code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let text = chain(error);
    match (error, code.as_deref()) {
        (_, Some("NoSuchBucket")) => "there is no such bucket".to_owned(),
        (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _)
        | (_, Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AccessDenied")) => {
            format!("it refuses the credentials{said}; look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        (_, Some("SlowDown")) => format!("it asked to slow down for a minute{said}; it is tried again"),
        _ if text.contains("169.254.169.254") => {
            "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned()
        }
        _ if text.contains("onnect") && !text.contains("Server returned") => {
            "it cannot be reached; look at AWS_ENDPOINT_URL and the network".to_owned()
        }
        (_, Some(_)) => format!("it failed{said}"),
        _ => plain(&text),
    }
}

/// Returns the code in the answer of a store (`<Code>…</Code>`), or that of its status.
fn code(error: &object_store::Error) -> Option<String> {
    let text = chain(error);
    let within =
        text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let code = within.filter(|code| code.len() < 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    code.map(str::to_owned).or_else(|| text.contains("503 Service Unavailable").then(|| "503".to_owned()))
}

fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

/// The words of an error without what comes from the store.
fn plain(text: &str) -> String {
    let text = text.split('<').next().unwrap_or_default();
    model::wording::plain(text, 200)
}
