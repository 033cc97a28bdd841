//! All tables, in an order in which their rows can be written: what a row refers to comes before it.

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The migration that made it.
    pub(crate) since: i64,
    /// A column that refers to rows of the same table, and the table's key: it is filled in when all rows are there.
    pub(crate) late: Option<&'static str>,
    /// Its rows are made by the migration and mean nothing elsewhere.
    pub(crate) own: bool,
}

const fn table(name: &'static str, since: i64) -> Table {
    Table { name, since, late: None, own: false }
}

/// Every table of every version.
pub const TABLES: &[Table] = &[
    table("meta", 1),
    table("counters", 1),
    table("users", 1),
    table("tokens", 1),
    table("sessions", 5),
    table("apps", 1),
    table("collaborators", 1),
    table("domains", 1),
    table("formation", 1),
    table("slugs", 1),
    table("builds", 1),
    table("releases", 1),
    Table { name: "operations", since: 1, late: Some("superseded_by"), own: false },
    table("operation_steps", 1),
    table("hosts", 1),
    table("join_tokens", 8),
    table("launches", 13),
    table("lacks", 13),
    table("fleet_events", 13),
    table("replicas", 1),
    table("host_apps", 12),
    table("pins", 1),
    table("caps", 15),
    table("activities", 1),
    table("watches", 3),
    table("metrics", 6),
    table("host_metrics", 17),
    table("host_meters", 17),
    Table { name: "leadership", since: 7, late: None, own: true },
    Table { name: "turns", since: 7, late: None, own: true },
    Table { name: "servers", since: 11, late: None, own: true },
];

/// Returns the tables that a database has whose newest migration is this.
pub fn tables_at(schema: i64) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(move |table| table.since <= schema)
}

/// Returns those of them whose rows belong into a backup.
pub fn backed_up_tables_at(schema: i64) -> impl Iterator<Item = &'static Table> {
    tables_at(schema).filter(|table| !table.own)
}
