//! Carries decisions out in the toy cloud, which may refuse, or do as told and not be heard.

use uuid::Uuid;

use super::toy::{Real, Row, Toy};
use super::*;
use crate::plan::Standing;

impl Toy {
    pub(super) fn act(&mut self, decision: &Decision) {
        self.surplus_since = decision.surplus_since;
        self.alarms.clone_from(&decision.alarms);
        for action in &decision.actions {
            match action {
                Action::Launch { pool, .. } => self.write(pool.clone()),
                Action::Avoid(lack) => self.lacks.push(lack.clone()),
                Action::Ask(launch) => self.ask(*launch),
                Action::Adopt(launch, id) => self.row(*launch).instance.id = Some(id.clone()),
                Action::Drain { launch, cause, .. } => {
                    let since = self.now;
                    self.wish(*launch, Wish::Drain { since, cause: *cause });
                }
                Action::Resume { launch, .. } => self.wish(*launch, Wish::Run),
                Action::End { launch, cause, .. } => {
                    let since = self.now;
                    self.wish(*launch, Wish::End { since, cause: *cause });
                }
                Action::Dismiss { id, .. } => drop(self.dismissed.insert(id.clone(), self.now)),
                Action::Terminate { id, .. } => drop(self.real.get_mut(id).map(|real| real.ended = true)),
                Action::Forget { launch, cause, .. } => {
                    let (at, zone) = (self.now, self.row(*launch).instance.pool.zone.clone());
                    self.past.push(Past { zone, at, cause: *cause });
                    self.rows.retain(|row| row.instance.launch != *launch);
                }
            }
        }
    }

    fn write(&mut self, pool: Pool) {
        self.next += 1;
        let instance = Instance {
            launch: LaunchId(Uuid::from_u128(self.next)),
            pool,
            decided_at: self.now,
            asked_at: None,
            ask_at: self.now,
            id: None,
            wish: Wish::Run,
            seen: Sight::Unseen,
            host: None,
            removed: false,
            says: None,
            notice: false,
            risk: false,
            stale: None,
            due: false,
        };
        self.rows.push(Row { instance, attempts: 0 });
    }

    /// The same token gives the same instance, however often it is shown.
    fn ask(&mut self, launch: LaunchId) {
        let (now, full, deaf) = (self.now, self.full.clone(), self.deaf);
        let known = self.real.iter().find(|(_, real)| real.launch == launch).map(|(id, _)| id.clone());
        let pool = self.row(launch).instance.pool.clone();
        let refused = if known.is_none() && full.contains(&pool) {
            Some(Refusal::NoCapacity)
        } else if self.busy {
            Some(Refusal::Throttled)
        } else {
            deaf.then_some(Refusal::Unanswered)
        };
        let id = known.unwrap_or_else(|| format!("i-{:x}", launch.0.as_u128()).parse().unwrap());
        self.row(launch).instance.asked_at = Some(now);
        if !matches!(refused, Some(Refusal::NoCapacity | Refusal::Throttled)) && !self.real.contains_key(&id)
        {
            let dud = self.duds > 0;
            self.duds = self.duds.saturating_sub(1);
            let (pool, born) = (pool.clone(), now);
            let (ended, stopped, dead_since, noticed, risky) = (self.stillborn, false, None, None, false);
            let real = Real { launch, pool, born, ended, dud, stopped, dead_since, noticed, risky };
            self.real.insert(id.clone(), real);
        }
        let Some(refusal) = refused else {
            self.row(launch).instance.id = Some(id);
            return;
        };
        let after = consequence(refusal, &pool, self.row(launch).attempts, "", now);
        self.row(launch).attempts += 1;
        self.lacks.extend(after.lack);
        let attempts = self.row(launch).attempts;
        self.row(launch).instance.ask_at = now + pause(attempts);
        if after.over {
            self.rows.retain(|row| row.instance.launch != launch);
        }
    }

    fn wish(&mut self, launch: LaunchId, wish: Wish) {
        let row = self.row(launch);
        row.instance.wish = wish;
        if let Some(host) = row.instance.host.as_mut().filter(|host| host.standing != Standing::Lost) {
            host.standing = if wish == Wish::Run { Standing::Ready } else { Standing::Draining };
        }
    }
}
