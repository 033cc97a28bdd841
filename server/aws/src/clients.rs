//! The clients that everything here calls AWS with: time limits on each, one pace for all, and nothing repeated that
//! changes something.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::call::Of as _;
use crate::failure::{Failure, Kind};
use crate::pace::{Pace, Paced};
use crate::reading::OnlyReading;

/// How long one attempt may take, and a call with all of its attempts.
const ATTEMPT: Duration = Duration::from_secs(20);
const OPERATION: Duration = Duration::from_secs(60);

/// AWS counts the calls of an account, whoever in a process makes them.
static PACE: LazyLock<Arc<Pace>> = LazyLock::new(|| Arc::new(Pace::new()));

/// Which account and region is meant, where it is not the one that the environment names.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The region; otherwise `AWS_REGION`, or that of the profile.
    pub region: Option<String>,
    /// The profile; otherwise `AWS_PROFILE`.
    pub profile: Option<String>,
    /// The address of a simulation in place of AWS, which checks no keys.
    pub simulation: Option<String>,
}

/// One client for each service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Instances, networks, launch templates.
    pub ec2: aws_sdk_ec2::Client,
    /// Load balancers.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Roles.
    pub iam: aws_sdk_iam::Client,
    /// Names in DNS.
    pub route53: aws_sdk_route53::Client,
    /// The bucket's settings; what is in it goes through the blob store.
    pub s3: aws_sdk_s3::Client,
    /// Who we are.
    pub sts: aws_sdk_sts::Client,
    /// The region that all of them call.
    pub region: String,
}

impl Clients {
    /// Returns the clients for the credentials and endpoints that the environment names. All of a process have one pace.
    ///
    /// # Errors
    /// No region is named anywhere.
    pub async fn of(place: &Place) -> Result<Self, Failure> {
        let inner = Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
        let http = SharedHttpClient::new(Paced { inner, pace: Arc::clone(&PACE) });
        let times = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(times)
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        if let Some(region) = &place.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &place.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(address) = &place.simulation {
            let credentials = Credentials::new("AKIASIMULATION000000", "simulated", None, None, "simulation");
            loader = loader.endpoint_url(address).credentials_provider(credentials);
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).ok_or_else(no_region)?;
        let own_endpoint = config.endpoint_url().is_some_and(|url| url.contains("://127.0.0.1"));
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .retry_classifier(OnlyReading)
            // A bucket's name is no part of such an endpoint's.
            .force_path_style(own_endpoint || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some());
        let ec2 = aws_sdk_ec2::config::Builder::from(&config).retry_classifier(OnlyReading);
        let elb =
            aws_sdk_elasticloadbalancingv2::config::Builder::from(&config).retry_classifier(OnlyReading);
        let iam = aws_sdk_iam::config::Builder::from(&config).retry_classifier(OnlyReading);
        let route53 = aws_sdk_route53::config::Builder::from(&config).retry_classifier(OnlyReading);
        Ok(Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            elb: aws_sdk_elasticloadbalancingv2::Client::from_conf(elb.build()),
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            route53: aws_sdk_route53::Client::from_conf(route53.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sts: aws_sdk_sts::Client::new(&config),
            region,
        })
    }

    /// Returns the number of the account that the credentials belong to.
    ///
    /// # Errors
    /// The credentials are not accepted, or AWS cannot be reached.
    pub async fn account(&self) -> Result<String, Failure> {
        let answer = self.sts.get_caller_identity().send().await.of("sts:GetCallerIdentity")?;
        Ok(answer.account().unwrap_or_default().to_owned())
    }
}

fn no_region() -> Failure {
    Failure {
        kind: Kind::Refused,
        action: "aws",
        code: "no region".into(),
        message: "neither --region nor AWS_REGION nor the profile names one".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    /// Answers every call with a refusal, and returns where.
    fn nay_sayer() -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut caller in listener.incoming().flatten() {
                let _ = caller.read(&mut [0; 16_384]);
                let says = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = caller.write_all(says.as_bytes());
            }
        });
        address
    }

    #[tokio::test]
    async fn clients_that_are_made_separately_have_one_pace() {
        let (region, simulation) = (Some("us-east-1".to_owned()), Some(nay_sayer()));
        let place = Place { region, simulation, ..Place::default() };
        let (one, other) = (Clients::of(&place).await.unwrap(), Clients::of(&place).await.unwrap());
        let launch = async |clients: &Clients| {
            let begun = Instant::now();
            assert!(clients.ec2.run_instances().send().await.of("ec2:RunInstances").is_err());
            begun.elapsed()
        };
        // Two at once are what there is, and one more each second.
        let first = launch(&one).await + launch(&one).await;
        let third = launch(&other).await;
        assert!(
            first < Duration::from_millis(900) && third > Duration::from_millis(500),
            "{first:?}, {third:?}"
        );
    }
}
