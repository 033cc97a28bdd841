//! What an app in a container can reach and see.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use logs::{Bounds, LogDir, Query};
use model::id::{AppId, ReplicaId};
use model::replica::{Phase, ReplicaSpec, Wish};

use crate::stage::{SERVER, Stage, config, docker};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_sees_its_own_and_has_no_rights() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "content\n")]).await;
    let command = "echo id=$(id -u):$(id -un) caps=$(awk '/CapBnd|CapEff/ {printf \"%s,\", $2}' /proc/self/status) \
        nnp=$(awk '/NoNewPrivs/ {print $2}' /proc/self/status) \
        root=$(touch /x 2>/dev/null && echo writable || echo closed) \
        app=$(echo more > file && echo writable) tmp=$(touch /tmp/x /var/tmp/x /dev/shm/x && echo writable) \
        run=$(printf '#!/bin/sh\\necho yes' > /tmp/run && chmod +x /tmp/run && /tmp/run) cwd=$PWD home=$HOME";
    let job = ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..stage.spec(&slug, "job", command) };
    stage.desire(&[&job]);
    stage.phase(&job, Phase::Ended).await;
    let line = stage.logged("app[job.1]: id=").await;
    let zero = "0000000000000000";
    let expected = format!(
        "app[job.1]: id={}:app caps={zero},{zero}, nnp=1 root=closed app=writable tmp=writable run=yes cwd=/app home=/app",
        stage.uid
    );
    assert_eq!(line, expected);
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn config_reaches_the_app_byte_for_byte_and_docker_never_has_it() {
    let Some(mut stage) = Stage::new().await else { return };
    let slug = stage.slug(&[("file", "")]).await;
    let config = config(&[("ODD", b"a\xff\n'\"$x"), ("SECRET", b"s3cret-s3cret")]);
    let command = "echo odd=$(printf %s \"$ODD\" | od -An -tx1 | tr -d ' \\n') secret=${#SECRET}; sleep 1000";
    let worker = ReplicaSpec { config, ..stage.spec(&slug, "worker", command) };
    stage.desire(&[&worker]);
    assert!(stage.logged("app[worker.1]: odd=").await.ends_with("odd=61ff0a27222478 secret=13"));
    let known = docker(&["inspect", &stage.container(&worker)]);
    assert!(known.contains(&worker.id.to_string()) && !known.contains("s3cret"));
    stage.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_other_apps_nor_metadata_nor_the_control_plane_are_in_reach() {
    let Some(stage) = Stage::new().await else { return };
    // They listen on all addresses of this host; only one is the control plane's.
    let [control, server, other] = [(); 3].map(|()| TcpListener::bind("0.0.0.0:0").unwrap());
    let [control, server, other] =
        [&control, &server, &other].map(|listener| listener.local_addr().unwrap().port());
    let at = own_address();
    let stage = stage.apart_from(vec![SocketAddr::new(at, server)]);
    let mut stage = stage.with_control_port(control).await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "python3 server.py");
    stage.desire(&[&web]);
    let address = stage.phase(&web, Phase::Healthy).await.address.unwrap();
    let script = format!(
        r#"exec python3 -c '
import socket, struct
def way_out():
    for line in open("/proc/net/route"):
        fields = line.split()
        if fields[1] == "00000000":
            return socket.inet_ntoa(struct.pack("<L", int(fields[2], 16)))
def tried(address, port):
    try:
        socket.create_connection((address, port), 3).close()
        return "open"
    except OSError as error:
        return "closed"
host = way_out()
print("reach", tried("{}", {}), tried("169.254.169.254", 80), tried(host, {control}), tried("{at}", {server}), tried(host, {server}), tried(host, {other}), flush=True)'"#,
        address.ip(),
        address.port()
    );
    let job = ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..stage.spec(&slug, "probe", &script) };
    let own = ReplicaSpec { app: AppId::new(), uid: stage.uid + 1, ..job.clone() };
    let own = ReplicaSpec { id: ReplicaId::new(), ..own };
    stage.desire(&[&web, &job, &own]);
    stage.phase(&own, Phase::Ended).await;
    stage.phase(&job, Phase::Ended).await;
    assert_eq!(reached(&stage, stage.app), "reach open closed closed closed open open", "the app itself");
    assert_eq!(reached(&stage, own.app), "reach closed closed closed closed open open", "another app");
    stage.leave().await;
}

/// Returns what an app said that it reaches.
fn reached(stage: &Stage, app: AppId) -> String {
    let log = stage.dir.path().join("logs").join(app.to_string());
    let lines = LogDir::open(log, Bounds::default()).unwrap().read(&Query::default()).unwrap().lines;
    let said = lines.into_iter().find(|line| line.text.starts_with("reach "));
    said.expect("it looked around").text
}

/// The address from which this host calls other networks.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // RFC 5737; nothing is sent.
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_load_balancer_a_replica_is_reached_at_the_hosts_address_and_by_no_other_app() {
    let Some(stage) = Stage::new().await else { return };
    let mut stage = stage.behind_balancer().await;
    let slug = stage.slug(&[("server.py", SERVER)]).await;
    let web = stage.spec(&slug, "web", "python3 server.py");
    let worker = ReplicaSpec { wish: Wish::Run, ..stage.spec(&slug, "worker", "sleep 1000") };
    stage.desire(&[&web, &worker]);
    let own = stage.phase(&web, Phase::Healthy).await.address.unwrap();
    let port = own.port();
    stage.phase(&worker, Phase::Healthy).await;
    let host = SocketAddr::new(own_address(), port);
    TcpStream::connect_timeout(&host, Duration::from_secs(5)).expect("the load balancer gets through");
    // A machine may give its own connections such ports, too, and then is answered there.
    let asks = format!(
        "import socket; socket.create_connection(('{}', {port}), 5, source_address=('', 29_998)).close()",
        own.ip()
    );
    assert!(Command::new("python3").args(["-c", &asks]).status().unwrap().success());
    let ports = |replica: &ReplicaSpec| docker(&["port", &stage.container(replica)]);
    assert_eq!(ports(&web).trim(), format!("{port}/tcp -> 0.0.0.0:{port}"));
    assert_eq!(ports(&worker), "", "what serves nobody has none");

    let script = format!(
        r#"exec python3 -c '
import socket
try:
    socket.create_connection(("{}", {port}), 3).close()
    print("reach open", flush=True)
except OSError as error:
    print("reach", error, flush=True)'"#,
        host.ip()
    );
    let probe = ReplicaSpec { wish: Wish::Once { seconds: 60 }, ..stage.spec(&slug, "probe", &script) };
    let probe = ReplicaSpec { app: AppId::new(), uid: stage.uid + 1, ..probe };
    stage.desire(&[&web, &worker, &probe]);
    stage.phase(&probe, Phase::Ended).await;
    assert_eq!(reached(&stage, probe.app), "reach [Errno 111] Connection refused");
    stage.leave().await;
}
