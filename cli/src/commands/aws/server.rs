//! `aws:server`: starts the machine of the control plane.

use std::fs;
use std::path::{Path, PathBuf};

use aws::Clients;
use aws::control::{
    Bucket, Certificates, ControlError, Ground, Machine, Next, Progress, Recipe, look, next, start,
};
use aws::setup::{Asked, Entrance};
use model::cost::{Bill, RegionPrices};
use model::name::Hostname;
use serde_json::{Value, json};

use super::admin_token;
use super::beginning;
use super::consent::consent;
use super::options::{PricesOption, WhereOptions};
use super::{failed, shown, wait_for};
use crate::context::{Context, JsonOption};
use crate::environment;
use crate::error::{Error, Result};
use crate::table::Table;

/// Start the machine of the control plane
///
/// It is in the network that `aws:up` made, has the rights of the control plane, and runs `paasd serve` from the image of `aws:bake`. It shows
/// first what it will start and what that costs, and asks. With one that runs it has nothing to do; one that is off is started. The first
/// administrator's token is made here, and only its SHA-256 goes to the machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  $ paasctl aws:server --name prod --region us-east-1 --domain apps.example.org --identity-certificates identity.pem
  …
  Start it? [y/n] y
    asking for a machine
  …
  The control plane of prod is i-0d3e…
  $ paasctl login --url https://api.apps.example.org --token-file ~/.config/paasctl/admin-token-prod-…")]
pub(crate) struct Server {
    #[command(flatten)]
    place: WhereOptions,

    /// The domain under which each app has a name
    #[arg(long, value_name = "DOMAIN")]
    domain: Hostname,

    /// The name of the control plane itself; otherwise `api` under that domain
    #[arg(long, value_name = "NAME")]
    api_host: Option<Hostname>,

    /// File with AWS's certificate for the region, "RSA-2048" on
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/regions-certs.html>
    #[arg(long, value_name = "FILE")]
    identity_certificates: PathBuf,

    /// What the machine is; otherwise what hosts are
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,

    /// How large its disk is, in gigabytes
    #[arg(long, value_name = "GB", default_value_t = 40, value_parser = clap::value_parser!(u16).range(8..=16_000))]
    disk: u16,

    /// An image with `paasd` in /opt/paas/bin; otherwise the baked one that hosts start from
    #[arg(long, value_name = "AMI")]
    image: Option<String>,

    /// Where it is, in a network that was adopted
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<String>,

    /// Take any address in the subnet; hosts that call the usual one, its tenth, do not find the control plane
    #[arg(long)]
    any_address: bool,

    /// The load balancer, if it was adopted
    #[arg(long, value_name = "ARN")]
    balancer: Option<String>,

    /// Begin with a backup, as `aws:backups` lists them, or with the `newest`
    #[arg(long, value_name = "NAME", conflicts_with = "empty")]
    restore: Option<String>,

    /// Begin with nothing, though there are backups
    #[arg(long)]
    empty: bool,

    /// TOML file with more options of `paasd serve`; others can read it, so no passwords
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(flatten)]
    prices: PricesOption,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    json: JsonOption,
}

impl Server {
    /// Shows, asks, starts.
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let (prices, screen, name) = (self.prices.read()?, &context.screen, &self.place.name);
        let certificates = self.certificates()?;
        let more = self.more()?;
        let (machine, ground, token) = wait_for(async {
            let clients = self.place.clients().await?;
            let ground = self.ground(&clients).await?;
            let token_file = admin_token::place(name.as_str(), &ground.account, &clients.region)?;
            let seen = look(&clients, name).await.map_err(|failure| failed(&failure))?;
            let agreed = || consent(self.yes, "Start it?", "nothing was started", "start it");
            match next(&seen) {
                Next::Ask | Next::Outlast(_) => {
                    let bill = self.bill(&ground, prices.region(&clients.region));
                    let bucket = Bucket { clients: &clients, name: &ground.bucket };
                    let restore = beginning::choose(bucket, self.restore.as_deref(), self.empty).await?;
                    let plan = self.plan(&ground, restore.as_deref());
                    screen.say(&format!("{plan}\n\n{}\n", cost(screen, bill.as_ref())));
                    agreed()?;
                    beginning::settle(bucket, restore).await.map_err(|failure| failed(&failure))?;
                }
                Next::Wake(id) => {
                    screen.say(&format!("The control plane {id} is off."));
                    agreed()?;
                }
                Next::Await(_) | Next::Done(_) | Next::Choose(_) => {}
            }
            let script = || {
                let token = admin_token::keep(&token_file)?;
                let recipe = self.recipe(&clients, &ground, (certificates, token, more));
                recipe.script().map_err(|error| error.to_string())
            };
            let tell = |progress: Progress<'_>| {
                if let Some(line) = line(progress) {
                    screen.say(&line);
                }
            };
            let machine = start(&clients, name, (&ground, self.disk), script, tell).await;
            Ok((machine.map_err(|error| stopped(&error))?, ground, token_file))
        })?;
        screen.say(&format!("The control plane of {name} is {}.", machine.id));
        if self.json.json {
            return screen.json(&self.described(&machine, &ground, &token));
        }
        screen.print(&self.next_steps(&machine, &ground, &token).render(screen))
    }

    async fn ground(&self, clients: &Clients) -> Result<Ground> {
        let asked = Asked {
            image: self.image.clone(),
            subnet: self.subnet.clone(),
            instance_type: self.instance_type.clone(),
        };
        let adopted = self.balancer.clone().map(|balancer| Entrance::Adopted { balancer });
        let mut wish = self.place.any();
        wish.entrance = adopted.unwrap_or(wish.entrance);
        let mut ground = Ground::find(clients, &wish, asked).await.map_err(|error| stopped(&error))?;
        ground.private_address = ground.private_address.filter(|_| !self.any_address);
        Ok(ground)
    }

    fn certificates(&self) -> Result<Certificates> {
        let path = &self.identity_certificates;
        Certificates::read(&read(path)?)
            .map_err(|error| Error::failed(format!("{}: {error}", path.display())))
    }

    fn more(&self) -> Result<toml::Table> {
        let Some(path) = &self.config else { return Ok(toml::Table::new()) };
        let parsed = read(path)?.parse();
        parsed.map_err(|error: toml::de::Error| {
            Error::failed(format!("{}: {}", path.display(), error.message()))
        })
    }

    fn recipe(
        &self,
        clients: &Clients,
        ground: &Ground,
        (certificates, token_hash, more): (Certificates, model::slug::Digest, toml::Table),
    ) -> Recipe {
        Recipe {
            name: self.place.name.clone(),
            region: clients.region.clone(),
            bucket: ground.bucket.clone(),
            domain: self.domain.clone(),
            api_host: self.api_host.clone(),
            balancer: self.balancer.clone(),
            token_hash,
            certificates,
            endpoint: environment::variable("AWS_ENDPOINT_URL"),
            more,
        }
    }

    /// Returns what is started, as text.
    fn plan(&self, ground: &Ground, restore: Option<&str>) -> String {
        let Ground { instance_type, image, subnet, .. } = ground;
        let disk = self.disk;
        let data = restore.map(|backup| format!("what is in the backup {backup}\n  ")).unwrap_or_default();
        format!(
            "A control plane, {instance_type}, from {image}, in {subnet}, with\n  {data}{disk} GB of encrypted disk, which stays when the \
             machine ends\n  the rights of the policy `control`, and metadata by IMDSv2 only\n  nothing let in but the load \
             balancer and hosts"
        )
    }

    fn bill(&self, ground: &Ground, prices: Option<&RegionPrices>) -> Option<Bill> {
        let prices = prices?;
        let mut bill = Bill::default();
        let hour = *prices.instances.get(&ground.instance_type)?;
        bill.hourly(format!("control plane {}", ground.instance_type), 1, hour);
        bill.monthly("gigabyte of its disk", self.disk.into(), prices.volume_gigabyte_month);
        bill.hourly("its public address", ground.has_address.into(), prices.address_hour);
        Some(bill)
    }

    fn url(&self, ground: &Ground) -> String {
        let scheme = if ground.has_tls { "https" } else { "http" };
        match &self.api_host {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://api.{}", self.domain),
        }
    }

    fn described(&self, machine: &Machine, ground: &Ground, token: &Path) -> Value {
        json!({
            "instance": machine.id,
            "instance_type": machine.instance_type,
            "image": machine.image,
            "address": machine.address,
            "url": self.url(ground),
            "token_file": token.exists().then_some(token),
        })
    }

    fn next_steps(&self, machine: &Machine, ground: &Ground, token: &Path) -> Table {
        let mut table = Table::details();
        let mut row = |what: &str, value: &str| table.row([what.into(), value.into()]);
        row("instance", &machine.id);
        row("address in the network", machine.address.as_deref().unwrap_or("none yet"));
        match &ground.dns_zone {
            Some(zone) => row("names in DNS", &format!("are kept in the hosted zone {zone}")),
            None => row("point in DNS", &format!("*.{} as a CNAME at {}", self.domain, ground.address)),
        }
        let url = self.url(ground);
        if token.exists() {
            row(
                "log in, in a minute",
                &format!("paasctl login --url {url} --token-file {}", token.display()),
            );
        } else {
            row("log in", &format!("paasctl login --url {url}, with a token of whoever started it"));
        }
        table
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Error::failed(format!("{} cannot be read: {error}", path.display())))
}

fn cost(screen: &crate::screen::Screen, bill: Option<&Bill>) -> String {
    let Some(bill) = bill else {
        return "What it costs is not in the table of prices; --prices FILE takes another.".to_owned();
    };
    shown::bill(bill).render(screen)
}

/// Returns the error with what its user can do.
pub(super) fn stopped(error: &ControlError) -> Error {
    let hint = match error {
        ControlError::Failure(failure) => failure.hint(),
        ControlError::NoFooting(error) => error.hint(),
        ControlError::NotBaked => {
            "`paasctl aws:bake` makes one; --image AMI names another that has it.".into()
        }
        ControlError::Several(_) => "End all but one of them; their disks stay.".into(),
        ControlError::Script(_) => "Nothing was started.".into(),
        ControlError::Upload(_) => "Run it again; nothing was changed.".into(),
        ControlError::Overtaken => "Once that is done, run this again.".into(),
        ControlError::Untold(_) => {
            "Its console at AWS shows how it starts; running this again goes on waiting.".into()
        }
        ControlError::Mute(_) => {
            "Its console at AWS shows why. `aws:update --paasd` with the one of before and --restore with the backup go back; apps go on meanwhile."
                .into()
        }
        ControlError::AddressTaken(_) => {
            "`aws ec2 describe-network-interfaces` shows what has it: end that, and run this again. Or say --any-address: the control plane gets \
             another one, and hosts that there are do not find it."
                .into()
        }
        ControlError::Lingers(_) => {
            "AWS says what keeps it. Running this again goes on waiting; nothing was started.".into()
        }
        ControlError::Slow => "Running this again goes on waiting.".into(),
    };
    Error::failed(error.to_string()).hint(hint)
}

/// Returns a line for what happens.
fn line(progress: Progress<'_>) -> Option<String> {
    Some(match progress {
        Progress::Unclear(failure) => format!("  {failure}; looking what there is"),
        Progress::Begins(step) => match step {
            Next::Ask => "  asking for a machine".into(),
            Next::Wake(id) => format!("  {id} is off, and is started"),
            Next::Await(id) => format!("  waiting for {id}"),
            Next::Outlast(id) => format!("  waiting until {id} has ended, which has the address until then"),
            Next::Done(_) | Next::Choose(_) => return None,
        },
    })
}
