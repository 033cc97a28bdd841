//! `aws:policy`: what the three may do on AWS, to be read or given to somebody.

use aws::dns::ZoneId;
use aws::setup::{self, ClusterName, Names, POLICIES};

use crate::context::{Context, JsonOption};
use crate::error::{Error, Result};

/// Print the IAM policy of installer, control plane or host
///
/// The installer's is what `aws:up`, `aws:bake` and `aws:down` need; the other two are what `aws:up` gives. AWS is not asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:policy installer --name prod --region us-east-1 --account 123456789012
  {
    \"Version\": \"2012-10-17\",
  …")]
pub(crate) struct Policy {
    /// Whose: installer, control or host
    who: String,

    /// The platform's name on AWS
    #[arg(long, value_name = "NAME", default_value = "paas")]
    name: ClusterName,

    /// The account's number
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    account: String,

    /// The region
    #[arg(long, value_name = "REGION", env = "AWS_REGION", value_parser = word)]
    region: String,

    /// The network's id, for the control plane's
    #[arg(long, value_name = "VPC", default_value = "*", value_parser = word)]
    vpc: String,

    /// The hosted zone of Route 53 in which the platform keeps its names, by id
    #[arg(long, value_name = "ZONE")]
    dns_zone: Option<ZoneId>,

    /// A policy is JSON in any case
    #[command(flatten)]
    json: JsonOption,
}

impl Policy {
    /// Prints it.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let policy = setup::Policy::named(&self.who).ok_or_else(|| {
            let names = POLICIES.map(|policy| policy.name).join(", ");
            Error::usage(format!("there is no policy of `{}`", self.who)).hint(format!("There are: {names}."))
        })?;
        let names = Names {
            cluster: &self.name,
            account: &self.account,
            region: &self.region,
            vpc: &self.vpc,
            balancer: &format!("paas-{}", self.name),
            dns_zone: self.dns_zone.as_ref(),
        };
        context.screen.json(&policy.filled(&names))
    }
}

fn account(text: &str) -> Result<String, String> {
    let right = text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    if right { Ok(text.to_owned()) } else { Err("an account's number has twelve digits".into()) }
}

fn word(text: &str) -> Result<String, String> {
    let right = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '*');
    if right && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err("it holds letters, digits and dashes".into())
    }
}
