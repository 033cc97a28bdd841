//! What becomes of a `WebSocket` when the server goes: it is told (RFC 6455, 5.5.1 and 7.4.1).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::platform::TestPlatform;

/// Says what the bytes of a POST add up to, answers a GET of `/N` with N bytes, and switches to WebSocket when asked: then
/// it sends every byte back that comes.
pub(crate) const SERVER: &str = r#"#!/usr/bin/python3
import base64, hashlib, http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 65536))
            left -= len(piece)
            digest.update(piece)
        self.answer(digest.hexdigest().encode())
    def do_GET(self):
        key = self.headers.get("Sec-WebSocket-Key")
        if not key:
            return self.answer(b"x" * int(self.path[1:] or 0))
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(65536):
            self.connection.sendall(data)
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#;

/// A final text frame that says "hi", unmasked, as a server sends it; the app only throws it back.
pub(crate) const FRAME: [u8; 4] = [0x81, 2, b'h', b'i'];

pub(crate) fn open(router: SocketAddr, host: &str) -> TcpStream {
    let mut socket = TcpStream::connect(router).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(
        socket,
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    socket
}

#[test]
fn a_websocket_is_closed_as_going_away_when_the_server_is_restarted() {
    let mut platform = TestPlatform::start();
    let host = {
        let app = platform.app("talk");
        app.write("bin/web", SERVER).executable("bin/web").write("Procfile", "web: bin/web\n").commit("Talk");
        app.deploy();
        app.host()
    };
    let mut socket = open(platform.router, &host);
    socket.write_all(&FRAME).unwrap();
    let mut echo = [0; 4];
    socket.read_exact(&mut echo).unwrap();
    assert_eq!(echo, FRAME);
    platform.restart(true);
    let mut goodbye = [0; 4];
    socket.read_exact(&mut goodbye).unwrap();
    assert_eq!((goodbye[0], &goodbye[2..]), (0x88, &1001_u16.to_be_bytes()[..]), "{goodbye:?}");
    let mut again = open(platform.router, &host);
    again.write_all(&FRAME).unwrap();
    again.read_exact(&mut echo).unwrap();
    assert_eq!(echo, FRAME);
}
