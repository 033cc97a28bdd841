//! Makes hosts of instances. Every witness is heard: AWS's signature of what the machine is, the secret of its launch, the
//! launch as it was written down, and the cloud's own list; whether they agree is decided by `model::instances::admit`.
//!
//! An instance becomes a host once. That a machine asks again with the key that it joined with is no second time: the answer
//! was lost.

use std::net::IpAddr;
use std::sync::Arc;

use cloud::Cloud;
use fleet::{Enrol, Joined, fingerprint_of_request};
use jiff::Timestamp;
use model::instances::{Applicant, Document, InstanceId, NotAdmitted, Order, Shown, admit};
use store::{Db, FleetEvent, Host, Launch, Store, Transaction};
use tracing::{info, warn};

use super::Agents;
use super::join::facts;
use super::lately::{Matter, site};
use super::refusal::Refusal;

/// What is said of a secret with which nobody may join, whatever the reason: it is for us to know.
const NO_SUCH_LAUNCH: &str =
    "the launch secret is unknown, was used already, or is of a launch that is not wanted any more";

/// Who makes hosts of instances.
pub struct Registrar<'a> {
    /// Where it is written down.
    pub store: &'a Store,
    /// Who signs certificates.
    pub agents: &'a Agents,
    /// Where the instances are from.
    pub cloud: &'a Arc<dyn Cloud>,
}

impl Registrar<'_> {
    /// Makes a host of the instance that calls from this address.
    ///
    /// # Errors
    /// Why not: `403` and `422` are for good, after anything else it may ask again.
    pub async fn enrol(&self, enrol: Enrol, from: IpAddr) -> Result<Joined, Refusal> {
        let key =
            fingerprint_of_request(&enrol.request).map_err(|error| Refusal::invalid(format!("{error:#}")))?;
        let Some(identities) = &self.agents.identities else {
            return Err(Refusal::forbidden("this server was not told by whom instances are signed"));
        };
        let document = identities.check(&enrol.document, &enrol.signature);
        let document = document.map_err(|error| Refusal::forbidden(error.to_string()))?;
        let site = site(self.cloud.as_ref()).await.map_err(Refusal::later)?;
        if (&document.account_id, &document.region) != (&site.account, &site.region) {
            return Err(Refusal::forbidden("this instance is of another account or region"));
        }
        let id = document.instance_id.clone();
        let mut db = self.store.read().await?;
        let known = known(&mut db, &id, &key).await?;
        let enrolled_before = store::was_host(&mut db, &id).await?;
        let launch = store::find_launch_by_nonce(&mut db, &enrol.secret).await?;
        drop(db);
        if let Some(host) = known {
            return Ok(self.agents.joined(&host, &enrol.request)?);
        }
        let Some(launch) = launch else {
            if enrolled_before {
                self.tell_again(&id, from).await?;
            }
            return Err(Refusal::forbidden(NO_SUCH_LAUNCH));
        };
        let home = (site.account, site.region);
        let who = Applicant { document, from, home, enrolled_before };
        self.hear(&who, &launch).await?;
        self.write(&who.document, &launch, &key, enrol, from).await
    }

    /// Hears the witnesses, the cloud only when all others agree.
    async fn hear(&self, who: &Applicant, launch: &Launch) -> Result<(), Refusal> {
        let (id, now) = (&who.document.instance_id, Timestamp::now());
        let order = order(launch).ok_or_else(|| Refusal::forbidden(NO_SUCH_LAUNCH))?;
        let mut heard = admit(who, &order, None, now);
        if heard.as_ref().is_err_and(NotAdmitted::may_pass) {
            let listed = self.agents.lately.shown(self.cloud, id).await.map_err(Refusal::later)?;
            let shown = listed.map(|listed| Shown {
                state: listed.state,
                launch_matches: listed.launch == Some(launch.id),
                private_ip: listed.private_ip,
                image: listed.image,
            });
            heard = admit(who, &order, shown.as_ref(), now);
        }
        let Err(why) = heard else { return Ok(()) };
        if why.may_pass() {
            return Err(Refusal::later(why.to_string()));
        }
        match &why {
            NotAdmitted::Again(id) => self.tell_again(id, who.from).await?,
            _ => {
                self.tell(id, Matter::Refused, &format!("it may not join: {why} (from {})", who.from)).await?
            }
        }
        Err(Refusal::forbidden(why.to_string()))
    }

    /// Writes down that the instance is a host, all of it or nothing. Of several that come with one secret one succeeds.
    async fn write(
        &self,
        document: &Document,
        launch: &Launch,
        key: &str,
        enrol: Enrol,
        from: IpAddr,
    ) -> Result<Joined, Refusal> {
        let (id, now) = (&document.instance_id, Timestamp::now());
        let mut tx = self.store.write().await?;
        // It may have asked another server at the same time.
        if let Some(host) = known(&mut tx, id, key).await? {
            return Ok(self.agents.joined(&host, &enrol.request)?);
        }
        let host = match store::create_host(&mut tx, id.as_str(), &launch.pool.zone, key).await {
            Err(store::Error::Taken { .. }) => return self.is_too_late(tx, id, from).await,
            made => made?,
        };
        match store::set_launch_host(&mut tx, launch.id, (host.id, id), now).await {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::forbidden(NO_SUCH_LAUNCH)),
            Err(store::Error::Taken { .. }) => return self.is_too_late(tx, id, from).await,
            Err(error) => return Err(error.into()),
        }
        store::set_host_facts(&mut tx, host.id, &facts(enrol.about, from)).await?;
        let message = format!("it joined as a host, zone {}", launch.pool.zone);
        store::add_fleet_event(&mut tx, &FleetEvent { at: now, about: id.to_string(), message }).await?;
        let joined = self.agents.joined(&host, &enrol.request)?;
        tx.commit().await?;
        info!(host.id = %host.id, launch = %launch.id, "{id} joined as a host, zone {}", launch.pool.zone);
        Ok(joined)
    }

    /// Another one was let in as this instance, or it is that of another launch.
    async fn is_too_late<T>(&self, tx: Transaction, id: &InstanceId, from: IpAddr) -> Result<T, Refusal> {
        drop(tx);
        self.tell_again(id, from).await?;
        Err(Refusal::forbidden(NO_SUCH_LAUNCH))
    }

    async fn tell_again(&self, id: &InstanceId, from: IpAddr) -> Result<(), Refusal> {
        let what = format!(
            "somebody at {from} who has its identity document asks to join with another key, although it has joined; \
             its metadata may be in other hands"
        );
        self.tell(id, Matter::Again, &what).await
    }

    /// Tells people, now and then.
    async fn tell(&self, id: &InstanceId, matter: Matter, what: &str) -> Result<(), Refusal> {
        if !self.agents.lately.is_to_be_told(id, matter) {
            return Ok(());
        }
        let message = model::wording::plain(what, 500);
        warn!(instance = %id, "{message}");
        let mut tx = self.store.write().await?;
        let event = FleetEvent { at: Timestamp::now(), about: id.to_string(), message };
        store::add_fleet_event(&mut tx, &event).await?;
        Ok(tx.commit().await?)
    }
}

/// Returns the host that an instance is already, with this very key.
async fn known(db: &mut Db, id: &InstanceId, key: &str) -> store::Result<Option<Host>> {
    let host = store::find_host_named(db, id.as_str()).await?;
    Ok(host.filter(|host| host.key_fingerprint.as_deref() == Some(key)))
}

/// Returns a launch as it is compared; nothing if it is over.
fn order(launch: &Launch) -> Option<Order> {
    Some(Order {
        id: launch.instance.clone(),
        image: launch.image.clone(),
        zone: launch.pool.zone.clone(),
        decided_at: launch.decided_at,
        wish: launch.wish?,
        used: launch.host.is_some(),
    })
}
