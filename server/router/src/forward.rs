//! Sends one request to a replica, and to another one when that is safe.
//!
//! Safe means: no byte of the request was sent; or it was sent over a connection that had been idle and closed
//! under it, and asking twice changes nothing (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).

use crate::backend::Backend;
use crate::choose::choose;
use crate::code::Code;
use crate::exchange::Exchange;
use crate::knock::knock;
use crate::pool::{Link, connect};
use crate::routes::AppRoute;
use crate::spare;
use crate::standing::{Standing, patience};
use crate::upload::Upload;
use crate::watch::Phase;
use crate::worker::Worker;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

/// How many attempts one request may cost.
const ATTEMPTS: usize = 8;

/// What a request may be sent to.
pub(crate) enum Target {
    /// Any replica in rotation.
    Any,
    /// This one if it takes the request, else any.
    First(Arc<Backend>),
    /// Exactly this one.
    Only(Arc<Backend>),
}

/// Sends the request of `exchange` and returns the beginning of the answer, within the time limits of the visitor's
/// watch; the exchange then has the connection the answer comes over.
pub(crate) async fn forward(
    worker: &Rc<Worker>,
    exchange: &mut Exchange,
    target: &Target,
) -> Result<Response<Incoming>, Code> {
    let watch = Arc::clone(exchange.watch());
    let mut attempts = pin!(attempt(worker, exchange, target));
    poll_fn(|cx| match attempts.as_mut().poll(cx) {
        Poll::Pending if watch.is_expired() => {
            let visitor = watch.phase() == Phase::Upload && watch.is_stalled();
            Poll::Ready(Err(if visitor { Code::H28 } else { Code::H12 }))
        }
        polled => polled,
    })
    .await
}

async fn attempt(
    worker: &Rc<Worker>,
    exchange: &mut Exchange,
    target: &Target,
) -> Result<Response<Incoming>, Code> {
    let repeatable = exchange.is_repeatable();
    let (mut tried, mut last, mut stale) = (Vec::new(), None, false);
    for _ in 0..ATTEMPTS {
        let Some(backend) = next(worker, exchange, target, &tried)? else { break };
        exchange.hold(Arc::clone(&backend));
        if !repeatable && !stale {
            // What the system knows of closed connections is learnt first: such a request must not meet one.
            tokio::task::yield_now().await;
        }
        let pooled = if stale { None } else { worker.pool.take(&backend, repeatable) };
        let mut link = match pooled {
            Some(link) => link,
            // Boxed because it is seldom, and each request has room for what is not.
            None => {
                match Box::pin(open(worker, exchange, &backend, has_others(exchange, target, &tried))).await {
                    Ok(link) => link,
                    Err(code) => {
                        tried.push(backend.serial());
                        last = Some(code);
                        continue;
                    }
                }
            }
        };
        let Some(request) = exchange.take_request() else { break };
        link.talk.begin(link.reused && repeatable);
        let mut error = match link.sender.try_send_request(request).await {
            Ok(response) => {
                exchange.put_link(link);
                return Ok(response);
            }
            Err(error) => error,
        };
        stale = true;
        last = Some(Code::H13);
        let again = || spare::read(&link.talk.unanswered()?);
        let Some(request) = error.take_message().or_else(again) else {
            return Err(blame(exchange, &error));
        };
        exchange.put_request(request);
        exchange.release(false);
    }
    Err(last.unwrap_or(Code::H14))
}

/// Opens a connection to `backend`, or lets go of it.
async fn open(
    worker: &Rc<Worker>,
    exchange: &mut Exchange,
    backend: &Arc<Backend>,
    others: bool,
) -> Result<Link, Code> {
    let limit = patience(worker.timeouts.connect, others);
    let opened = connect(backend, limit, &worker.limits).await;
    if backend.judge(opened.as_ref().map(drop).map_err(io::Error::kind)) == Some(Standing::Out) {
        tracing::warn!(replica = backend.replica(), "{} takes no connections", backend.name());
        tokio::task::spawn_local(knock(Rc::clone(worker), Arc::clone(backend)));
    }
    match opened {
        Ok(link) => {
            exchange.connected();
            Ok(link)
        }
        Err(error) => {
            exchange.release(true);
            Err(refusal(&error))
        }
    }
}

/// Returns whether another replica could be asked in place of the one that is being asked.
fn has_others(exchange: &Exchange, target: &Target, tried: &[u64]) -> bool {
    !matches!(target, Target::Only(_)) && tried.len() + 1 < exchange.app().replicas.len()
}

/// Returns the replica to ask next, or the reason why none may be asked.
fn next(
    worker: &Rc<Worker>,
    exchange: &Exchange,
    target: &Target,
    tried: &[u64],
) -> Result<Option<Arc<Backend>>, Code> {
    let app = exchange.app();
    match target {
        Target::Only(backend) => Ok((!tried.contains(&backend.serial())).then(|| Arc::clone(backend))),
        _ if app.is_full() => Err(Code::H22),
        Target::First(backend) if tried.is_empty() && takes(app, backend) => Ok(Some(Arc::clone(backend))),
        Target::Any | Target::First(_) => match choose(&app.replicas, worker.turn(), tried) {
            Some(backend) if backend.in_flight() >= app.in_flight_limit => Err(Code::H11),
            chosen => Ok(chosen.map(Arc::clone)),
        },
    }
}

/// Returns whether a replica can do with one more request.
fn takes(app: &AppRoute, backend: &Backend) -> bool {
    !backend.is_out() && backend.in_flight() < app.in_flight_limit
}

/// Returns the code for a connection that could not be made.
fn refusal(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Code::H19
        }
        _ => Code::H21,
    }
}

/// Returns the code for an answer that did not come.
fn blame(exchange: &Exchange, error: &TrySendError<Request<Upload>>) -> Code {
    if exchange.watch().is_broken() {
        Code::H26
    } else if exchange.watch().has_left() {
        Code::H27
    } else if error.error().is_parse() {
        Code::H17
    } else {
        Code::H13
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_told_from_a_refusal() {
        assert_eq!(refusal(&io::ErrorKind::ConnectionRefused.into()), Code::H21);
        assert_eq!(refusal(&io::ErrorKind::TimedOut.into()), Code::H19);
    }
}
