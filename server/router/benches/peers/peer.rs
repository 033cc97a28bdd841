//! One server under measurement, in a process of its own.

use crate::address;
use crate::scenario::Scenario;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A running server; it ends when this is dropped.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Child,
    /// Another one that has to run as long.
    pub(crate) behind: Option<Box<Peer>>,
    _dir: Option<TempDir>,
}

impl Peer {
    /// Starts this very program in another role.
    pub(crate) fn ours(
        role: &str,
        name: &'static str,
        target: Option<SocketAddr>,
        scenario: &Scenario,
    ) -> io::Result<Self> {
        let target = target.map_or("-".to_owned(), |target| target.to_string());
        let mut command = Command::new(std::env::current_exe()?);
        command.env("BODY", scenario.body.to_string()).env("HOSTS", scenario.hosts.to_string());
        let mut process = command.args([role, &target]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line)?;
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { name, address, process, behind: None, _dir: None })
    }

    /// Starts `command`, which listens on `address`; `None` when it is not installed.
    fn theirs(name: &'static str, address: SocketAddr, dir: TempDir, mut command: Command) -> Option<Self> {
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let peer = Self { name, address, process, behind: None, _dir: Some(dir) };
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "{name} does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(peer)
    }

    /// Returns its process and those it started.
    fn processes(&self) -> Vec<u32> {
        let own = self.process.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).chain([own]).collect()
    }

    /// Returns the processor time it has used, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let ticks = |id: u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
        };
        // Linux counts in hundredths of a second wherever this runs.
        self.processes().into_iter().filter_map(ticks).sum::<f64>() / 100.0
    }

    /// Returns the memory that is its own, in megabytes.
    pub(crate) fn memory(&self) -> f64 {
        let kilobytes = |id: u32| {
            let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
            let line = rollup.lines().find(|line| line.starts_with("Pss:"))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        self.processes().into_iter().filter_map(kilobytes).sum::<f64>() / 1024.0
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx's workers end with their master only when it is asked politely.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// Starts nginx before `target`, if it is installed.
pub(crate) fn nginx(target: SocketAddr, workers: usize, scenario: &Scenario) -> Option<Peer> {
    let (dir, address) = (TempDir::new().ok()?, address::reserve());
    let path = dir.path().display();
    let names: String = scenario.names().map(|name| format!(" {name}")).collect();
    let config = format!(
        "worker_processes {workers}; daemon off; pid {path}/pid; error_log {path}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; server_names_hash_max_size 65536; server_names_hash_bucket_size 128; keepalive_requests 1000000000; client_body_temp_path {path}/body;\n\
         proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;\n\
         upstream app {{ server {target}; keepalive 512; keepalive_requests 1000000000; }}\n\
         server {{ listen {address} reuseport default_server; return 404; }}\n\
         server {{ listen {address}; server_name{names}; location / {{ proxy_pass http://app; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;\n\
         proxy_set_header X-Request-Id $request_id; }} }} }}\n"
    );
    fs::write(dir.path().join("nginx.conf"), config).ok()?;
    let mut command = Command::new("nginx");
    command.arg("-e").arg(dir.path().join("error.log"));
    command.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf"));
    Peer::theirs("nginx", address, dir, command)
}

/// Starts `HAProxy` before `target`, if it is installed.
pub(crate) fn haproxy(target: SocketAddr, workers: usize, scenario: &Scenario) -> Option<Peer> {
    let (dir, address) = (TempDir::new().ok()?, address::reserve());
    let map = dir.path().join("hosts");
    fs::write(&map, scenario.names().map(|name| format!("{name} app\n")).collect::<String>()).ok()?;
    let map = map.display();
    let config = format!(
        "global\n nbthread {workers}\n maxconn 8192\n\
         defaults\n mode http\n timeout connect 5s\n timeout client 55s\n timeout server 55s\n http-reuse always\n\
         frontend in\n bind {address}\n option forwardfor\n http-request set-header X-Forwarded-Proto http\n\
         unique-id-format %[uuid()]\n unique-id-header X-Request-Id\n\
         use_backend %[req.hdr(host),lower,map({map})]\n\
         backend app\n server web1 {target}\n"
    );
    fs::write(dir.path().join("haproxy.cfg"), config).ok()?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(dir.path().join("haproxy.cfg"));
    Peer::theirs("haproxy", address, dir, command)
}
