//! What the machine of the control plane is told: user data, which runs as root at its first start. Whoever may describe instances
//! can read it, so no secret is in it.

use model::name::Hostname;
use model::slug::Digest;
use model::upkeep::BACKUPS;

use super::Certificates;
use crate::bake::SCRIPT_BYTES;
use crate::setup::ClusterName;

/// Where all that must last is. The service says the same.
const DATA_DIR: &str = "/var/lib/paasd";

/// What ends a file in the script.
const END_OF_FILE: &str = "END-OF-FILE";

/// The service that runs the control plane.
const SERVICE: &str = include_str!("../../../../packaging/paasd.service");

/// What the control plane is to be.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The platform.
    pub name: ClusterName,
    /// The region.
    pub region: String,
    /// The bucket for slugs.
    pub bucket: String,
    /// The domain under which each app has a name.
    pub domain: Hostname,
    /// The name of the control plane itself, if not `api` under that domain.
    pub api_host: Option<Hostname>,
    /// The load balancer, by ARN, if it was adopted.
    pub balancer: Option<String>,
    /// The SHA-256 of the first administrator's token.
    pub token_hash: Digest,
    /// What AWS signs with what its instances are.
    pub certificates: Certificates,
    /// Where AWS is called, if not where it usually is.
    pub endpoint: Option<String>,
    /// More options of `paasd serve`, as its file of options has them.
    pub more: toml::Table,
}

/// Why there is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// An option that is decided here.
    #[error("the option `{0}` is decided by `aws:server` itself")]
    Decided(String),
    /// An option that may hold a password.
    #[error(
        "the option `{0}` may hold a secret, and what a machine is told at its start can be read by others"
    )]
    Secret(String),
    /// A value with the line that ends a file in the script.
    #[error("no value may hold the line {END_OF_FILE}")]
    EndOfFile,
    /// An endpoint that is no plain address.
    #[error("AWS_ENDPOINT_URL is no plain address: `{0}`")]
    Endpoint(String),
    /// AWS takes less.
    #[error("the machine's script has {0} bytes, and AWS takes {SCRIPT_BYTES}")]
    TooLong(usize),
}

impl Recipe {
    /// Returns the script.
    ///
    /// # Errors
    /// Something in the recipe does not fit into one.
    pub fn script(&self) -> Result<String, RecipeError> {
        let script = include_str!("start.sh")
            .replace("SERVICE\n", SERVICE)
            .replace("CERTIFICATES\n", &self.certificates.to_string())
            .replace("ENVIRONMENT\n", &self.environment()?)
            .replace("OPTIONS\n", &self.options()?);
        if script.len() > SCRIPT_BYTES { Err(RecipeError::TooLong(script.len())) } else { Ok(script) }
    }

    fn options(&self) -> Result<String, RecipeError> {
        let mut options = self.more.clone();
        // With a password in its address.
        if options.contains_key("database-url") {
            return Err(RecipeError::Secret("database-url".into()));
        }
        let own = [
            ("data-dir", DATA_DIR.to_owned()),
            ("listen", "0.0.0.0:5000".to_owned()),
            ("agent-listen", "0.0.0.0:5001".to_owned()),
            ("domain", self.domain.as_str().to_owned()),
            ("blobs", format!("s3://{}", self.bucket)),
            ("backups", format!("s3://{}/{BACKUPS}", self.bucket)),
            ("fleet", "aws".to_owned()),
            ("aws-name", self.name.to_string()),
            ("aws-identity-certificates", "/etc/paasd-identity.pem".to_owned()),
            ("admin-token-sha256", self.token_hash.to_string()),
        ];
        let api_host = self.api_host.as_ref().map(|host| ("api-host", host.as_str().to_owned()));
        let texts = own.into_iter().chain(api_host).map(|(key, text)| (key, toml::Value::from(text)));
        let balancers = self.balancer.clone().map(|arn| ("aws-balancers", toml::Value::from(vec![arn])));
        for (key, value) in texts.chain(balancers) {
            if options.insert(key.to_owned(), value).is_some() {
                return Err(RecipeError::Decided(key.to_owned()));
            }
        }
        let options = options.to_string();
        if options.lines().any(|line| line == END_OF_FILE) {
            Err(RecipeError::EndOfFile)
        } else {
            Ok(options)
        }
    }

    fn environment(&self) -> Result<String, RecipeError> {
        let region = format!("AWS_REGION={}\n", self.region);
        let Some(endpoint) = &self.endpoint else { return Ok(region) };
        // It is read by a shell, too.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/._-[]".contains(c);
        if !endpoint.chars().all(is_plain) {
            return Err(RecipeError::Endpoint(endpoint.clone()));
        }
        Ok(format!("{region}AWS_ENDPOINT_URL={endpoint}\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn recipe() -> Recipe {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----\n";
        Recipe {
            name: "prod".parse().unwrap(),
            region: "us-east-1".to_owned(),
            bucket: "paas-prod-123456789012-us-east-1".to_owned(),
            domain: "apps.example.org".parse().unwrap(),
            api_host: None,
            balancer: Some(
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1".to_owned(),
            ),
            token_hash: "a".repeat(64).parse().unwrap(),
            certificates: Certificates::read(pem).unwrap(),
            endpoint: None,
            more: toml::Table::new(),
        }
    }

    #[test]
    fn the_script_is_one_for_bash_and_writes_what_the_server_reads() {
        let more = "builds = 4\ntrusted-proxies = ['10.0.0.0/8', \"'$(id)'\"]\n".parse().unwrap();
        let script = Recipe { more, ..recipe() }.script().unwrap();
        assert!(Command::new("bash").args(["-n", "-c", &script]).status().unwrap().success());
        let dir = tempfile::tempdir().unwrap();
        let here = script.replace("/etc/", &format!("{}/", dir.path().display()));
        let files = here.split("\nln -sf").next().unwrap();
        assert!(Command::new("bash").args(["-c", files]).status().unwrap().success());
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let options: toml::Table = read("paasd.toml").parse().unwrap();
        assert_eq!(options["domain"].as_str(), Some("apps.example.org"));
        assert_eq!(options["blobs"].as_str(), Some("s3://paas-prod-123456789012-us-east-1"));
        assert_eq!(options["backups"].as_str(), Some("s3://paas-prod-123456789012-us-east-1/backups"));
        assert_eq!((options["builds"].as_integer(), options["fleet"].as_str()), (Some(4), Some("aws")));
        assert!(options["aws-balancers"][0].as_str().unwrap().ends_with("loadbalancer/app/a/1"));
        assert_eq!(options["trusted-proxies"][1].as_str(), Some("'$(id)'"));
        assert_eq!(read("paasd.env"), "AWS_REGION=us-east-1\n");
        assert_eq!(read("paasd-identity.pem"), recipe().certificates.to_string());
        assert!(script.contains("\nWantedBy=multi-user.target\nEND-OF-FILE\n"), "{script}");
    }

    #[test]
    fn what_does_not_belong_into_it_is_refused() {
        let with = |more: &str| Recipe { more: more.parse().unwrap(), ..recipe() }.script().unwrap_err();
        assert_eq!(with("listen = '0.0.0.0:80'"), RecipeError::Decided("listen".into()));
        assert_eq!(
            with("database-url = 'postgres://u:s3cret@db'"),
            RecipeError::Secret("database-url".into())
        );
        let long = format!("prices = '{}'", "x".repeat(SCRIPT_BYTES));
        assert!(matches!(with(&long), RecipeError::TooLong(_)));
        let odd = Recipe {
            more: toml::Table::from_iter([("uv".into(), "a\nEND-OF-FILE\nid\n".into())]),
            ..recipe()
        };
        // Either it is written on one line, or it is refused.
        let ends = |script: String| script.lines().filter(|line| *line == END_OF_FILE).count();
        assert_eq!(odd.script().map_or(6, ends), 6);
        let endpoint = Some("http://a/$(id)".to_owned());
        assert!(matches!(Recipe { endpoint, ..recipe() }.script(), Err(RecipeError::Endpoint(_))));
    }
}
