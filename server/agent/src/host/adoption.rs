//! Takes over what an earlier agent left on the host: what runs goes on, what ended meanwhile is noted.

use jiff::Timestamp;

use super::Host;
use crate::converge::Run;
use crate::engine::{EngineError, Instance};
use crate::record::Record;
use crate::replica::Replica;

impl Host {
    /// Finds all replicas of this host.
    pub(super) async fn adopt(&mut self) -> Result<(), EngineError> {
        let now = Timestamp::now();
        let instances = self.parts.engine.list().await?;
        let mut ended = Vec::new();
        for (id, instance) in instances {
            let dir = self.dir(id);
            let running = instance == Instance::Running;
            let mut record =
                Record::read(&dir).unwrap_or_else(|| Record { runs: 1, up: true, ..Record::default() });
            // A start that was given up may have come to something after all.
            record.up |= running;
            // The server died before anything of the run was there: it is begun again, and is nobody's failure.
            let prepared = record.up && instance == Instance::Prepared;
            if prepared {
                (record.up, record.port, record.runs) = (false, None, record.runs.saturating_sub(1));
            }
            if let Instance::Ended(exit) = instance
                && record.up
            {
                ended.push((id, record.runs, exit));
            }
            if let Some(port) = record.port {
                self.parts.ports.take(port);
            }
            let mut replica = Replica::found(dir.spec(), record, running, now);
            if prepared {
                replica.run = Run::Never;
            }
            self.replicas.insert(id, replica);
        }
        self.apply_specs(now);
        for (id, run, exit) in ended {
            self.note_end(id, run, exit);
        }
        let up: Vec<_> =
            self.replicas.iter().filter(|(_, replica)| replica.record.up).map(|(id, _)| *id).collect();
        for id in up {
            self.watch(id, now);
        }
        for replica in self.replicas.values_mut() {
            // What it was before is no news.
            replica.phase = replica.phase_now();
        }
        Ok(())
    }
}
