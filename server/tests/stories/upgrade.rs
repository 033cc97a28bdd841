//! A new binary over the database of an older version: it is brought up to date, and what runs does not notice.

use std::path::Path;
use std::process::Command;

use crate::platform::{TestPlatform, binary};
use crate::wait;

/// Makes of a database what it would be if an older version had made it: its tables, and of the rows what fits these.
const OLDER: &str = r#"
import glob, os, sqlite3, sys
path, migrations, newest = sys.argv[1], sys.argv[2], int(sys.argv[3])
new, old = sqlite3.connect(path), sqlite3.connect(path + ".old")
for file in sorted(glob.glob(migrations + "/*.sql")):
    if int(os.path.basename(file)[:4]) <= newest:
        old.executescript(open(file).read())
columns = lambda db, table: [row[1] for row in db.execute(f'pragma table_info("{table}")')]
for (table,) in old.execute("select name from sqlite_master where type = 'table'").fetchall():
    names = [name for name in columns(old, table) if name in columns(new, table)]
    listed, places = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    rows = new.execute(f'select {listed} from "{table}"').fetchall()
    old.executemany(f'insert into "{table}" ({listed}) values ({places})', rows)
(made,) = new.execute("select sql from sqlite_master where name = '_sqlx_migrations'").fetchone()
old.execute(made)
for row in new.execute("select * from _sqlx_migrations where version <= ?", (newest,)).fetchall():
    old.execute(f"insert into _sqlx_migrations values ({', '.join('?' * len(row))})", row)
old.commit(), old.close(), new.close()
for end in ("-wal", "-shm"):
    if os.path.exists(path + end):
        os.remove(path + end)
os.replace(path + ".old", path)
"#;

fn make_older(data: &Path, newest: i64) {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", OLDER]).arg(data.join("paas.db")).arg(migrations).arg(newest.to_string());
    let done = python.output().unwrap();
    assert!(done.status.success(), "{}", crate::app::text(&done));
}

#[test]
fn a_new_version_takes_over_the_database_of_an_older_one_and_its_replicas_run_on() {
    let mut platform = TestPlatform::start();
    let app = platform.app("kept");
    app.greets("one").deploy();
    app.paasctl(&["config:set", "COLOUR=blue"]);
    app.paasctl(&["ps:scale", "web=2"]);
    app.greeting("two").deploy();
    let replicas = |platform: &TestPlatform| {
        let app = platform.known_app("kept");
        wait::until("the replicas of the release that serves", || {
            let list = app.json(&["ps"]);
            let of =
                |replica: &serde_json::Value| (replica["id"].to_string(), replica["restarts"].to_string());
            let all: std::collections::BTreeSet<_> = list.as_array()?.iter().map(of).collect();
            (all.len() == 2).then_some(all)
        })
    };
    let before = replicas(&platform);
    let crowd = app.crowd();
    for newest in [6, 4, 1] {
        platform.end_server(true);
        make_older(&platform.data, newest);
        platform.start_again();
        assert_eq!(replicas(&platform), before, "after migration {newest}");
    }
    crowd.assert_none_failed();
    let app = platform.known_app("kept");
    assert_eq!((app.get("/").body, app.get("/env/COLOUR").body), ("two".to_owned(), "blue".to_owned()));
    app.paasctl(&["rollback", "v1"]);
    assert_eq!(app.get("/").body, "one");
    app.greeting("three").deploy();
    assert_eq!(app.get("/").body, "three");
}

#[test]
fn a_database_that_a_newer_version_has_worked_with_is_refused_and_stays_as_it_is() {
    let mut platform = TestPlatform::start();
    platform.end_server(true);
    let later = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(\"insert into _sqlx_migrations \
         select 9999, description, installed_on, success, checksum, execution_time from _sqlx_migrations limit 1\"); db.commit()";
    let database = platform.data.join("paas.db");
    assert!(Command::new("/usr/bin/python3").args(["-c", later]).arg(&database).status().unwrap().success());
    let content = std::fs::read(&database).unwrap();
    let mut serve = Command::new(binary("paasd"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--router-listen", "127.0.0.1:0", "--data-dir"]);
    let refused = serve.arg(&platform.data).output().unwrap();
    let text = crate::app::text(&refused);
    assert!(
        !refused.status.success() && text.contains("a newer paasd has worked with this database"),
        "{text}"
    );
    assert_eq!(std::fs::read(&database).unwrap(), content);
}
