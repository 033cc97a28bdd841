//! A real server of the S3 protocol, moto, with a bucket; for all tests that need one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::address;

/// A server with an empty bucket.
pub(crate) struct Bucket {
    server: Child,
    pub(crate) address: SocketAddr,
}

impl Bucket {
    /// Starts one, where `make test` has put it.
    pub(crate) fn start() -> Option<Self> {
        let moto = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find_map(|dir| Some(dir.join("target/tools/simcloud")).filter(|dir| dir.is_dir()));
        let Some(moto) = moto else {
            eprintln!("SKIPPED: there is no S3 server here; `scripts/prerequisites test` installs one");
            return None;
        };
        let free = address::reserve();
        let server = Command::new("/usr/bin/python3")
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &free.port().to_string()])
            .env("PYTHONPATH", moto)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bucket = Self { server, address: free };
        let deadline = Instant::now() + Duration::from_secs(60);
        while ask(free, "PUT /blobs HTTP/1.1", b"").is_none() {
            assert!(Instant::now() < deadline, "moto does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(bucket)
    }

    /// Returns how many blobs there are.
    #[allow(dead_code, reason = "some tests ask the store instead")]
    pub(crate) fn count(&self) -> usize {
        ask(self.address, "GET /blobs?list-type=2 HTTP/1.1", b"").unwrap().matches("<Key>").count()
    }

    /// Puts something there.
    #[allow(dead_code, reason = "some tests only ask")]
    pub(crate) fn put(&self, key: &str, content: &[u8]) {
        ask(self.address, &format!("PUT /blobs/{key} HTTP/1.1"), content).unwrap();
    }

    /// Returns the text that has a key, if there is one.
    #[allow(dead_code, reason = "some tests ask the store instead")]
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        let answer = ask(self.address, &format!("GET /blobs/{key} HTTP/1.1"), b"")?;
        answer.split_once("\r\n\r\n").map(|(_, text)| text.to_owned())
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Asks once; returns the answer, if there was one.
fn ask(server: SocketAddr, request: &str, content: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = content.len();
    // It is looked whether there is a signature, and not which.
    let headers = format!("Authorization: AWS key:none\r\nContent-Length: {length}\r\nConnection: close");
    let head = format!("{request}\r\nHost: {server}\r\n{headers}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(content).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}
