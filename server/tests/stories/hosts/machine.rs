//! A machine with an agent on it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use store::{NewJoinToken, Store, Vault};

use crate::app::TestApp;
use crate::platform::{TestPlatform, binary, engine};
use crate::{address, wait};

/// An agent with a data directory of its own. Dropped, it is stopped with everything it runs.
pub(crate) struct Machine {
    pub(crate) data: PathBuf,
    arguments: Vec<String>,
    agent: Child,
}

impl Machine {
    /// Joins under a name, with 127.0.0.NUMBER as its address.
    pub(crate) fn join(platform: &TestPlatform, name: &str, number: u8) -> Self {
        let token = join_token(platform, name);
        let machine = Self::start(platform, name, number, &token);
        machine.wait_for_log("this is host");
        machine
    }

    /// Starts an agent with a token, and does not wait for what comes of it.
    pub(crate) fn start(platform: &TestPlatform, name: &str, number: u8, token: &str) -> Self {
        let data = platform.scratch().join(format!("host-{name}-{number}"));
        std::fs::create_dir_all(&data).unwrap();
        let file = data.with_extension("token");
        std::fs::write(&file, token).unwrap();
        let option = |name: &str, value: String| [name.to_owned(), value];
        let arguments = [
            option("--server", format!("https://{}", agent_listen(platform))),
            option("--join-token", file.display().to_string()),
            option("--data-dir", data.display().to_string()),
            option("--name", name.to_owned()),
            option("--address", Ipv4Addr::new(127, 0, 0, number).to_string()),
            option("--entry-port", address::reserve().port().to_string()),
            option("--host-mb", "100000".to_owned()),
            option("--host-cores", "100".to_owned()),
            option("--engine", engine()),
            // No copy of a slug is kept that could go.
            option("--slug-cache-mb", "0".to_owned()),
        ];
        let arguments = arguments.into_iter().flatten().collect();
        let agent = spawn(&data, &arguments);
        Self { data, arguments, agent }
    }

    /// Ends the agent as `kill -9` does, and leaves what it runs.
    pub(crate) fn kill(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
    }

    /// Ends the agent in order, and leaves what it runs.
    pub(crate) fn end(&mut self) {
        let pid = self.agent.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.agent.wait().unwrap().success());
    }

    /// Starts an agent that has ended, told the same as before.
    pub(crate) fn start_again(&mut self) {
        self.agent = spawn(&self.data, &self.arguments);
    }

    /// Waits until the agent has ended by itself.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        wait::until("the agent to end", || self.agent.try_wait().unwrap())
    }

    pub(crate) fn wait_for_log(&self, text: &str) {
        wait::until(&format!("`{text}` in the log of an agent"), || self.log().contains(text).then_some(()));
    }

    /// Returns how many replicas there are on it.
    pub(crate) fn replicas(&self) -> usize {
        std::fs::read_dir(self.data.join("agent/replicas")).map_or(0, Iterator::count)
    }

    /// Returns its copies of slugs, by the names of their files.
    pub(crate) fn slugs(&self) -> BTreeSet<OsString> {
        let found = std::fs::read_dir(self.copies()).into_iter().flatten();
        found.map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Makes these copies an hour old.
    pub(crate) fn age_slugs(&self) {
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        for name in self.slugs() {
            File::open(self.copies().join(name)).unwrap().set_modified(hour_ago).unwrap();
        }
    }

    fn copies(&self) -> PathBuf {
        self.data.join("agent/images")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        let stopped = Command::new(binary("paasd")).args(["stop", "--data-dir"]).arg(&self.data).output();
        if std::thread::panicking() {
            eprintln!("--- the log of {}\n{}", self.data.display(), self.log());
            eprintln!("--- stop: {stopped:?}");
        }
    }
}

fn spawn(data: &std::path::Path, arguments: &Vec<String>) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(data.with_extension("log")).unwrap();
    let mut command = Command::new(binary("paasd"));
    command.arg("agent").args(arguments).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

fn agent_listen(platform: &TestPlatform) -> String {
    let text = std::fs::read_to_string(platform.data.join("run/addresses.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["agents"].as_str().unwrap().to_owned()
}

/// Makes a token that is good for one host.
pub(crate) fn join_token(platform: &TestPlatform, name: &str) -> String {
    within(platform, async |store, vault| {
        let mut tx = store.write().await.unwrap();
        let user = store::list_users(&mut tx).await.unwrap()[0].id;
        let expires_at = Timestamp::now() + SignedDuration::from_mins(10);
        let new = NewJoinToken { name: Some(name), zone: name, expires_at, user };
        let (_, secret) = store::create_join_token(&mut tx, new).await.unwrap();
        tx.commit().await.unwrap();
        paasd::agents::Agents::open(store, vault).await.unwrap().join_token(&secret)
    })
}

/// Has a machine be a host that has not called yet.
pub(crate) fn add(platform: &TestPlatform, name: &str) {
    within(platform, async |store, _| {
        let mut tx = store.write().await.unwrap();
        store::create_host(&mut tx, name, name, &format!("key of {name}")).await.unwrap();
        tx.commit().await.unwrap();
    });
}

/// Removes a host from the platform.
pub(crate) fn remove(platform: &TestPlatform, name: &str) {
    within(platform, async |store, _| {
        let mut tx = store.write().await.unwrap();
        let host = store::find_host_named(&mut tx, name).await.unwrap().unwrap();
        assert!(store::remove_host(&mut tx, host.id, "it is sold").await.unwrap());
        tx.commit().await.unwrap();
    });
}

/// Does something with the database of a running server.
fn within<T>(platform: &TestPlatform, work: impl AsyncFnOnce(&Store, &Vault) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_file(&platform.data.join("paas.db")).await.unwrap();
        let vault = Vault::open_file(&platform.data.join("secret-key")).unwrap();
        work(&store, &vault).await
    })
}

/// Returns name, id and host of each replica that `ps` shows.
pub(crate) fn dynos(app: &TestApp<'_>) -> Vec<(String, String, String)> {
    let text = |dyno: &serde_json::Value, field: &str| dyno[field].as_str().unwrap_or_default().to_owned();
    let dynos = app.json(&["ps"]);
    let dynos = dynos.as_array().unwrap().iter();
    dynos.map(|dyno| (text(dyno, "name"), text(dyno, "id"), text(dyno, "host"))).collect()
}

/// Returns the host of each replica that `ps` shows.
pub(crate) fn hosts_of(app: &TestApp<'_>) -> Vec<String> {
    dynos(app).into_iter().map(|(_, _, host)| host).collect()
}
