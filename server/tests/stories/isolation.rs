//! What an app can do to the host, to the platform and to its neighbours: it tries, and tells over HTTP how it went.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::platform::TestPlatform;
use crate::wait;

/// Tries what is asked for by the path and answers with how that ended, as JSON.
const PROBER: &str = r#"#!/usr/bin/python3
import ctypes, errno, http.server, json, os, resource, socket, urllib.parse, urllib.request
libc = ctypes.CDLL(None, use_errno=True)
def tried(action):
    try:
        return str(action())
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
def call(function, *arguments):
    def action():
        if function(*arguments) < 0:
            raise OSError(ctypes.get_errno(), "")
        return "went through"
    return tried(action)
def connect(address, port):
    def action():
        with socket.socket(socket.AF_INET) as s:
            s.settimeout(5)
            s.connect((address, int(port)))
        return "open"
    return tried(action)
def status():
    lines = (line.split(":", 1) for line in open("/proc/self/status"))
    return {name: value.strip() for name, value in lines}
def visit(url, host):
    return urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host}), timeout=10).read().decode()
def probe(query):
    facts = status()
    return {
        "uid": os.getuid(),
        "capabilities": [facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "no_new_privs": facts["NoNewPrivs"], "seccomp": facts["Seccomp"],
        "processes": [open(f"/proc/{pid}/cmdline").read() for pid in os.listdir("/proc") if pid.isdigit()],
        "data": tried(lambda: os.listdir(query["data"])), "socket": tried(lambda: os.stat(query["data"] + "/run/hook.sock")),
        "shadow": tried(lambda: open("/etc/shadow").read()), "root": sorted(os.listdir("/")),
        "mount": call(libc.mount, b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare": call(libc.unshare, 0x10000000), "setuid": call(libc.setuid, 0),
        "device": tried(lambda: os.mknod("/tmp/device", 0o600 | 0o020000, os.makedev(1, 1))),
        "signal": tried(lambda: os.kill(int(query["pid"]), 0)),
        "core": resource.getrlimit(resource.RLIMIT_CORE), "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "api": connect("127.0.0.1", query["api"]), "agents": connect("127.0.0.1", query["agents"]), "neighbour": connect("127.0.0.1", query["neighbour"]),
        "metadata": connect("169.254.169.254", 80), "itself": connect("127.0.0.1", os.environ["PORT"]),
        "public": visit("http://" + query["router"] + "/", query["host"]),
    }
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = (json.dumps(probe(query)) if url.path == "/probe" else "hello").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// Writes until it cannot, says how far it came, and goes on trying.
const FILLER: &str = r#"#!/usr/bin/python3
import errno
written, block = 0, bytes(4 << 20)
with open("/app/filler", "wb", buffering=0) as file:
    while True:
        try:
            written += file.write(block)
        except OSError as error:
            print("the disk ended after", written >> 20, "MB:", errno.errorcode[error.errno], flush=True)
            break
while True:
    try:
        open("/app/more", "wb", buffering=0).write(block)
    except OSError:
        pass
"#;

const ROWDY: &str = "bomb: echo bombing; b() { b | b & b; }; b\n\
    hog: echo hogging; exec python3 -c 'x = [bytearray(16 << 20) for _ in range(1000)]'\n\
    filler: bin/filler\n\
    flood: echo flooding; exec yes 'the same line over and over'\n";

/// Whether the server says that it cannot do this here.
fn degraded(platform: &TestPlatform, part: &str) -> bool {
    let (_, facts) = platform.api("GET", "/platform", &platform.token, None);
    let sentences = facts["degraded"].as_array().unwrap();
    sentences.iter().any(|sentence| sentence.as_str().unwrap().contains(part))
}

/// Says visibly that a test is left out which speaks of the host's loopback: containers have their own, and tests of the
/// engine's say what is in reach there.
fn in_containers(what: &str) -> bool {
    let skipped = crate::platform::engine() == "docker";
    if skipped {
        eprintln!("SKIPPED with the Docker engine: {what}");
    }
    skipped
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns what the files of the agent say about the replicas of all apps: app name and port.
fn ports(platform: &TestPlatform) -> Vec<(String, u64)> {
    let replicas = std::fs::read_dir(platform.data.join("agent/replicas")).unwrap().flatten();
    let read = |path: PathBuf| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let port = |dir: &Path| {
        let name = read(dir.join("spec.json"))["app_name"].as_str().unwrap().to_owned();
        Some((name, read(dir.join("state.json"))["port"].as_u64()?))
    };
    replicas.filter_map(|entry| port(&entry.path())).collect()
}

fn prober<'a>(platform: &'a TestPlatform, name: &str) -> TestApp<'a> {
    let app = platform.app(name);
    app.write("bin/web", PROBER).executable("bin/web").write("Procfile", "web: bin/web\n").commit("Probe");
    app.deploy();
    app
}

/// Has the app try another app's port and the one that hosts call.
fn probe(app: &TestApp<'_>, neighbour: u64, agents: u16) -> Value {
    let platform = app.platform;
    let data = platform.data.display();
    let path = format!(
        "/probe?data={data}&agents={agents}&api={}&router={}&host={}&neighbour={neighbour}&pid={}",
        platform.api.port(),
        platform.router,
        app.host(),
        std::process::id()
    );
    let answer = app.get(&path);
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn an_app_sees_and_reaches_nothing_of_the_host_and_is_limited() {
    if in_containers("what an app reaches on the host") {
        return;
    }
    let platform = TestPlatform::start();
    let (app, other) = (prober(&platform, "prober"), prober(&platform, "other"));
    let seen = probe(&app, 1, 1);
    assert_eq!(seen["capabilities"].as_array().unwrap()[2], "0000000000000000", "{seen:#}");
    assert_eq!(seen["no_new_privs"], "1", "{seen:#}");
    assert!(seen["seccomp"] == "2" || degraded(&platform, "every system call"), "{seen:#}");
    let processes = seen["processes"].as_array().unwrap();
    assert!(processes.len() <= 4, "{seen:#}");
    for name in ["data", "socket", "shadow"] {
        assert_eq!(seen[name], "ENOENT", "{name} in {seen:#}");
    }
    for name in ["mount", "unshare", "setuid", "device"] {
        assert!(["EPERM", "EINVAL"].contains(&seen[name].as_str().unwrap()), "{name} in {seen:#}");
    }
    assert_eq!(seen["signal"], "ESRCH", "{seen:#}");
    assert_eq!(seen["core"], json!([0, 0]), "{seen:#}");
    assert!(seen["files"][1].as_u64().unwrap() <= 65_536, "{seen:#}");
    assert_eq!((&seen["itself"], &seen["public"]), (&json!("open"), &json!("hello")), "{seen:#}");
    if is_root() {
        assert!(
            seen["uid"].as_u64() >= Some(200_000) && seen["uid"] != probe(&other, 1, 1)["uid"],
            "{seen:#}"
        );
    }
}

#[test]
fn an_app_reaches_neither_the_api_nor_metadata_nor_its_neighbours_ports() {
    if in_containers("what an app reaches over the loopback") {
        return;
    }
    let agents = crate::address::reserve();
    let mut platform = TestPlatform::start_with(&["--agent-listen", &agents.to_string()]);
    let (names, degraded) = {
        let (app, other) = (prober(&platform, "prober"), prober(&platform, "other"));
        ([app.name.clone(), other.name.clone()], degraded(&platform, "can reach link-local"))
    };
    assert!(!degraded || !is_root() || !Path::new("/usr/sbin/nft").exists(), "{}", platform.server_log());
    for start in ["first", "second"] {
        let neighbour = ports(&platform).into_iter().find(|(name, _)| *name == names[1]).unwrap().1;
        let app = TestApp { platform: &platform, name: names[0].clone(), dir: platform.scratch().to_owned() };
        wait::until("the app to answer", || (app.get("/").status == 200).then_some(()));
        let seen = probe(&app, neighbour, agents.port());
        assert_eq!((&seen["itself"], &seen["public"]), (&json!("open"), &json!("hello")), "{start} {seen:#}");
        if !degraded {
            let refused = json!("ECONNREFUSED");
            for closed in ["api", "agents", "neighbour"] {
                assert_eq!(seen[closed], refused, "{closed} {start} {seen:#}");
            }
            assert!(seen["metadata"] != "open" && seen["metadata"] != "ETIMEDOUT", "{start} {seen:#}");
        }
        // The rules outlive a killed server as the replicas do, and the next one takes both over.
        platform.restart(false);
    }
}

#[test]
fn a_submodule_at_the_control_plane_or_the_metadata_is_out_of_reach_and_the_push_says_so() {
    let platform = TestPlatform::start();
    if !is_root() || degraded(&platform, "can reach link-local") {
        eprintln!("SKIPPED: there is no packet filter here");
        return;
    }
    let app = platform.app("prying");
    app.greets("hello").git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},lib", "1".repeat(40)),
    ]);
    for address in [platform.api.to_string(), "169.254.169.254".to_owned()] {
        let url = format!("http://{address}/lib.git");
        app.write(".gitmodules", &format!("[submodule \"lib\"]\n\tpath = lib\n\turl = {url}\n"));
        app.git(&["add", ".gitmodules"]);
        app.git(&["commit", "-q", "-m", "Pry"]);
        let pushed = app.push();
        let told = format!("the submodule `lib` could not be fetched from {url}: unable to access");
        assert!(!pushed.ok && pushed.text.contains(&told), "{}", pushed.text);
        assert!(pushed.text.contains("Failed to connect"), "{}", pushed.text);
    }
}

/// Asks the app about 100 times a second, `count` times; returns the times in order. Fails unless all are answered.
fn visits(app: &TestApp<'_>, count: usize) -> Vec<Duration> {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            let answer = app.get("/");
            let took = begun.elapsed();
            assert_eq!(answer.status, 200, "{answer:?}");
            std::thread::sleep(Duration::from_millis(10).saturating_sub(took));
            took
        })
        .collect();
    times.sort();
    times
}

fn p99(times: &[Duration]) -> Duration {
    times[times.len() * 99 / 100]
}

/// Lets an app do one bad thing beside a neighbour, who must not lose a request.
fn beside(process: &str, begun: &str) -> String {
    let platform = TestPlatform::start();
    let (quiet, rowdy) = (platform.app("quiet"), platform.app("rowdy"));
    quiet.greets("still here").deploy();
    rowdy.greets("rowdy").write("bin/filler", FILLER).executable("bin/filler");
    rowdy.write("Procfile", &format!("web: bin/web\n{ROWDY}")).commit("Misbehave").deploy();
    let before = visits(&quiet, 200);
    rowdy.paasctl(&["ps:scale", &format!("{process}=1"), "--no-wait"]);
    let line = rowdy.wait_for_log(begun);
    let during = visits(&quiet, 400);
    eprintln!("{process}: the neighbour's p99 was {:?} before and {:?} during", p99(&before), p99(&during));
    // The platform is there too, and gets rid of it.
    rowdy.paasctl(&["ps:scale", &format!("{process}=0")]);
    visits(&quiet, 50);
    line
}

#[test]
fn a_fork_bomb_costs_a_neighbour_no_request() {
    beside("bomb", "bombing");
}

#[test]
fn a_memory_hog_costs_a_neighbour_no_request() {
    beside("hog", "hogging");
}

#[test]
fn a_disk_filler_meets_the_end_of_its_own_disk_and_costs_a_neighbour_no_request() {
    if is_root() {
        let line = beside("filler", "the disk ended after");
        assert!(line.contains("ENOSPC"), "{line}");
    }
}

#[test]
fn a_log_flood_costs_a_neighbour_no_request() {
    beside("flood", "the same line over and over");
}
