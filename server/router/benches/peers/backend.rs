//! What the proxies stand before: a small server that answers every request with the same bytes.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};

/// Answers with `size` bytes on `workers` threads for ever, and prints its address.
pub(crate) fn serve(workers: usize, size: usize) {
    let first = bind("127.0.0.1:0".parse().unwrap());
    let address = first.local_addr().unwrap();
    let body = Bytes::from(vec![b'x'; size]);
    let sockets = std::iter::once(first).chain((1..workers).map(|_| bind(address)));
    let threads: Vec<_> = sockets
        .map(|socket| {
            std::thread::spawn({
                let body = body.clone();
                move || work(socket, &body)
            })
        })
        .collect();
    println!("{address}");
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Returns one more socket that listens on `address`.
pub(crate) fn bind(address: SocketAddr) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(4_096).unwrap();
    socket.into()
}

fn work(socket: TcpListener, body: &Bytes) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default());
    runtime.unwrap().block_on(async {
        let listener = tokio::net::TcpListener::from_std(socket).unwrap();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true).unwrap();
            let body = body.clone();
            let service = service_fn(move |_| {
                let body = body.clone();
                async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
            });
            tokio::task::spawn_local(
                http1::Builder::new()
                    .header_read_timeout(None)
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
}
