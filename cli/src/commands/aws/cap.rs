//! The platform's cap, held for what its hosts stand on as the server holds it for hosts.

use aws::setup::ClusterName;
use model::cost::{Beyond, Money};

use crate::api::fleet::{Cost, Fleet};
use crate::api::read;
use crate::context::Context;

/// What the platform may cost a month, and what is decided to be paid for it.
pub(super) struct Cap {
    cap: Money,
    decided: Money,
    /// The zones of its hosts: they begin with the name of their region.
    zones: Vec<String>,
}

impl Cap {
    /// Asks the platform that `paasctl login` knows, if it is the one of this name. One that says nothing has no cap: before
    /// its first start there is none, and `aws:up` also mends the way to a server that nobody reaches.
    pub(super) fn of(name: &ClusterName, context: &Context) -> Option<Self> {
        let api = context.api().ok()?;
        let fleet: Fleet = read(&api.get("/fleet").ok()?).ok()?;
        if fleet.name? != name.as_str() {
            return None;
        }
        let zones = fleet.settings?.zones.into_iter().map(|zone| zone.name).collect();
        let cost: Cost = read(&api.get("/cost").ok()?).ok()?;
        Some(Self { cap: cost.cap_per_month?, decided: cost.committed_per_month?, zones })
    }

    /// Returns how a change is beyond it that adds so much a month in a region. The platform of that name elsewhere is another.
    pub(super) fn exceeded_by(&self, added: Money, region: &str) -> Option<Beyond> {
        let (after, cap) = (self.decided + added, self.cap);
        let ours = self.zones.iter().all(|zone| zone.starts_with(region));
        (ours && added > Money::ZERO && after > cap).then_some(Beyond::Cap { app: None, after, cap })
    }
}
