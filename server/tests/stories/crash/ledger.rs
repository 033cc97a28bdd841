//! What the database says, read beside the server that uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// Reads everything in one transaction.
const READ: &str = r"
import json, sqlite3, sys
db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, isolation_level=None)
db.execute('begin')
def column(query): return [row[0] for row in db.execute(query)]
def rows(query): return [list(row) for row in db.execute(query)]
print(json.dumps({
    'damage': [text for text in column('pragma integrity_check') if text != 'ok'] + column('pragma foreign_key_check'),
    'active': column('''select id from operations where state = 'active' '''),
    'late': column('select id from operations where finished_at > deadline'),
    'half_made': column('''select a.name || ' v' || r.version from releases r join apps a on a.id = r.app_id
        where r.status = 'pending' and not exists (select 1 from operations o
            where o.app_id = r.app_id and o.release_version = r.version and o.state = 'active')'''),
    'building': column('''select id from builds where state in ('queued', 'running')'''),
    'watched': column('select app_id from watches'),
    'apps': dict(rows('select id, name from apps where deleted_at is null')),
    'builds': column('select b.id from builds b join apps a on a.id = b.app_id where a.deleted_at is null'),
    'images': column('select distinct digest from slugs s join apps a on a.id = s.app_id where collected_at is null'),
    'replicas': rows('''select p.id, a.name || ' ' || p.type || '.' || p.number || ' ' || p.wish ||
        case when p.replace_wanted or (p.release_version, p.generation) != (a.serving_version, a.serving_generation)
        then ' old' else '' end from replicas p join apps a on a.id = p.app_id'''),
    'formation': rows('''select a.name, f.type, f.quantity from formation f join apps a on a.id = f.app_id
        where a.deleted_at is null'''),
    'commits': dict(rows('''select a.name, r.commit_id from releases r join apps a on a.id = r.app_id
        where r.version = a.serving_version and a.deleted_at is null''')),
    'built': rows('select commit_id, count(*) from builds where commit_id is not null group by commit_id'),
}))
";

/// What is in the database.
#[derive(Deserialize)]
pub(super) struct Ledger {
    damage: Vec<String>,
    active: Vec<String>,
    late: Vec<String>,
    half_made: Vec<String>,
    building: Vec<String>,
    /// Apps whose release is watched.
    pub(super) watched: Vec<String>,
    /// The names of the living by id.
    pub(super) apps: BTreeMap<String, String>,
    /// Builds of living apps.
    pub(super) builds: BTreeSet<String>,
    /// The digests of slugs that are kept.
    pub(super) images: BTreeSet<String>,
    /// What each replica is, by its id.
    #[serde(deserialize_with = "pairs")]
    pub(super) replicas: BTreeMap<String, String>,
    formation: Vec<(String, String, u32)>,
    /// What serves, by app.
    pub(super) commits: BTreeMap<String, Option<String>>,
    /// How many builds a commit had.
    #[serde(deserialize_with = "pairs")]
    pub(super) built: BTreeMap<String, u32>,
}

fn pairs<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    Ok(Vec::<(String, T)>::deserialize(from)?.into_iter().collect())
}

impl Ledger {
    pub(super) fn read(data: &Path) -> Self {
        let mut python = Command::new("/usr/bin/python3");
        let output = python.args(["-c", READ]).arg(data.join("paas.db")).output().unwrap();
        let damage = || panic!("the database cannot be read: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| damage())
    }

    /// Returns why this is not how things should be once nothing is under way.
    pub(super) fn judge(&self) -> Result<(), String> {
        // These are never so, whatever is under way.
        assert!(self.damage.is_empty(), "the database is damaged: {:?}", self.damage);
        assert!(self.half_made.is_empty(), "pending, and nobody is at it: {:?}", self.half_made);
        assert!(self.late.is_empty(), "ended after its deadline: {:?}", self.late);
        let expected: BTreeSet<String> = self.formation.iter().flat_map(places).collect();
        let present: BTreeSet<String> = self.replicas.values().cloned().collect();
        if !self.active.is_empty() || !self.building.is_empty() {
            return Err(format!("operations {:?} and builds {:?} are under way", self.active, self.building));
        }
        if present != expected || present.len() != self.replicas.len() {
            return Err(format!("the formation wants {expected:?}, there is {:?}", self.replicas));
        }
        Ok(())
    }
}

fn places((app, process, quantity): &(String, String, u32)) -> Vec<String> {
    (1..=*quantity).map(|number| format!("{app} {process}.{number} run")).collect()
}
