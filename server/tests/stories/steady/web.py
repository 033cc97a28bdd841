#!/usr/bin/python3
# Answers at once, streams, takes uploads and echoes WebSockets. It knows nothing of SIGTERM: who stops it while it
# has something to do breaks that.
import base64, hashlib, http.server, os, time

FALLS_ILL = time.monotonic() + float(os.environ.get("ILL_AFTER", "inf"))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        if "Sec-WebSocket-Key" in self.headers:
            return self.echo(self.headers["Sec-WebSocket-Key"])
        if self.path.startswith("/stream="):
            return self.stream(float(self.path.partition("=")[2]))
        if self.path == "/health" and time.monotonic() > FALLS_ILL:
            return self.answer(500, b"ill")
        self.answer(200, os.environ.get("GREETING", "hello").encode())

    def do_POST(self):
        left = int(self.headers["Content-Length"])
        while left and (data := self.rfile.read(min(left, 65536))):
            left -= len(data)
        self.answer(200 if not left else 400, b"taken")

    def answer(self, status, body):
        self.send_response(int(os.environ.get("STATUS", status)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, seconds):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(20):
            time.sleep(seconds / 20)
            self.wfile.write(b"5\r\ndrop\n\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def echo(self, key):
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while data := self.connection.recv(1000):
            self.connection.sendall(data)

    def log_message(self, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

Server(("", int(os.environ["PORT"])), Handler).serve_forever()
