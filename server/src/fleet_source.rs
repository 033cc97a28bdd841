//! Where hosts come from: whoever runs the server adds them, or a cloud gives them.

use std::net::SocketAddr;

use anyhow::bail;
use aws::setup::ClusterName;
use clap::ValueEnum;
use serde::Deserialize;

/// Where hosts come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FleetChoice {
    /// Whoever runs this server adds them.
    #[default]
    None,
    /// They are EC2 instances, and visitors come through load balancers.
    Aws,
}

/// Where hosts come from, with what it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FleetSource {
    /// Whoever runs this server adds them.
    #[default]
    None,
    /// EC2 instances behind load balancers, in the set-up of this name.
    Aws(ClusterName),
}

impl FleetSource {
    /// Tells whether a cloud gives hosts.
    #[must_use]
    pub fn is_some(&self) -> bool {
        *self != Self::None
    }

    /// Returns the source if it was said in full.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn of(
        choice: FleetChoice,
        name: Option<ClusterName>,
        agent_listen: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        match (choice, name, agent_listen) {
            (FleetChoice::None, ..) => Ok(Self::None),
            (FleetChoice::Aws, ..) if !cfg!(feature = "aws") => bail!(
                "this paasd was built without the SDK of AWS; `cargo build --release -p paasd --features aws` has it"
            ),
            (FleetChoice::Aws, None, _) => {
                bail!("--fleet aws needs --aws-name, the name that `paasctl aws:up` was given")
            }
            (FleetChoice::Aws, _, None) => {
                bail!(
                    "--fleet aws needs --agent-listen, such as 0.0.0.0:5001, where the hosts that it starts call"
                )
            }
            (FleetChoice::Aws, Some(name), Some(_)) => Ok(Self::Aws(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_on_aws_needs_the_sdk_a_name_and_a_port_for_its_hosts() {
        let refused = |name: Option<&str>| {
            let name = name.map(|name| name.parse().unwrap());
            FleetSource::of(FleetChoice::Aws, name, None).unwrap_err().to_string()
        };
        assert_eq!(FleetSource::of(FleetChoice::None, None, None).unwrap(), FleetSource::None);
        for (name, missing) in [(None, "--aws-name"), (Some("prod"), "--agent-listen")] {
            let missing = if cfg!(feature = "aws") { missing } else { "--features aws" };
            let error = refused(name);
            assert!(error.contains(missing), "{error}");
        }
    }
}
