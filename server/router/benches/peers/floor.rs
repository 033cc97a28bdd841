//! The floor: the same HTTP library with a pool of connections, and nothing of what makes a router.

use crate::backend::bind;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use tokio::net::TcpStream;

type Idle = Rc<RefCell<Vec<SendRequest<Incoming>>>>;

/// Passes every request on to `target` on `workers` threads for ever, and prints its address.
pub(crate) fn serve(workers: usize, target: SocketAddr) {
    let first = bind("127.0.0.1:0".parse().unwrap());
    let address = first.local_addr().unwrap();
    let sockets: Vec<_> = std::iter::once(first).chain((1..workers).map(|_| bind(address))).collect();
    let threads: Vec<_> =
        sockets.into_iter().map(|socket| std::thread::spawn(move || work(socket, target))).collect();
    println!("{address}");
    for thread in threads {
        thread.join().unwrap();
    }
}

fn work(socket: TcpListener, target: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default());
    runtime.unwrap().block_on(async {
        let listener = tokio::net::TcpListener::from_std(socket).unwrap();
        let idle = Idle::default();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true).unwrap();
            let idle = Rc::clone(&idle);
            let service = service_fn(move |request| pass(Rc::clone(&idle), target, request));
            let mut builder = http1::Builder::new();
            tokio::task::spawn_local(
                builder.header_read_timeout(None).serve_connection(TokioIo::new(stream), service),
            );
        }
    });
}

async fn pass(
    idle: Idle,
    target: SocketAddr,
    request: Request<Incoming>,
) -> hyper::Result<Response<Incoming>> {
    let ready = std::iter::from_fn(|| idle.borrow_mut().pop()).find(SendRequest::is_ready);
    let mut sender = match ready {
        Some(sender) => sender,
        None => connect(target).await?,
    };
    let response = sender.send_request(request).await?;
    // The connection takes the next request when this answer is over; those that are not ready by then are dropped.
    tokio::task::spawn_local(async move {
        if sender.ready().await.is_ok() {
            idle.borrow_mut().push(sender);
        }
    });
    Ok(response)
}

async fn connect(target: SocketAddr) -> hyper::Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(target).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}
