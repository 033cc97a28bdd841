//! Decides what becomes of one request: refused, answered by the router itself, or passed to a replica.

use crate::code::Code;
use crate::download::{Download, Reply};
use crate::exchange::{self, Exchange};
use crate::extended;
use crate::forward::{Target, forward};
use crate::headers::{self, Origin, X_REQUEST_ID};
use crate::host::Host;
use crate::page::{Notice, wants_html};
use crate::probe::{PROBE_HEADER, PROBE_MISS_HEADER};
use crate::request_id;
use crate::routes::{AppRoute, AppState};
use crate::seen::Seen;
use crate::tunnel::Tunnel;
use crate::upload::Upload;
use crate::visitor::Visitor;
use crate::watch::Phase;
use http::header::{CONNECTION, EXPECT, HOST, HeaderMap, HeaderValue, SET_COOKIE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

/// Answers one request.
///
/// What can be decided at once is decided before the future begins: the future of each request is moved, so it
/// should be small.
pub(crate) fn handle(
    visitor: Rc<Visitor>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Reply>, Infallible>> {
    let http1 = request.version() <= Version::HTTP_11;
    let phase = if request.body().is_end_stream() { Phase::Wait } else { Phase::Upload };
    visitor.watch.enter(phase);
    let step = match admit(&visitor, &request) {
        Ok(admitted) => admitted.begin(&visitor, request),
        Err(notice) => Step::Answer(refuse(&visitor, &request, notice)),
    };
    async move {
        let mut response = match step {
            Step::Answer(response) => response,
            Step::Forward(mut exchange, passage) => {
                match forward(&visitor.worker, &mut exchange, &passage.target).await {
                    Ok(response) => relay(&visitor, exchange, response, passage),
                    Err(code) => fail(exchange, code, passage.html),
                }
            }
        };
        if http1 && visitor.worker.is_stopping() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// What is to be done with a request.
enum Step {
    /// It is answered by the router.
    Answer(Response<Reply>),
    /// It goes to a replica.
    Forward(Box<Exchange>, Passage),
}

/// How a request goes to a replica and its answer comes back.
struct Passage {
    target: Target,
    /// The visitor's end of the tunnel that is asked for, if one is.
    near: Option<OnUpgrade>,
    /// Whether the visitor reads pages.
    html: bool,
    /// Whether the tunnel is asked for by an extended CONNECT.
    extended: bool,
}

/// A request that belongs to an app.
struct Admitted {
    app: Arc<AppRoute>,
    host: HeaderValue,
    target: Target,
    seen: Seen,
}

/// Finds the app a request is for, and the replica if it is a probe.
fn admit(visitor: &Visitor, request: &Request<Incoming>) -> Result<Admitted, Notice> {
    if request.method() == Method::CONNECT && !extended::is_websocket(request) {
        return Err(Notice::NoTunnel);
    }
    // Only `CONNECT` may name a host without a scheme (RFC 9112 section 3.2.3).
    let target = request.uri();
    if target.authority().is_some() && target.scheme().is_none() {
        return Err(Notice::BadRequest);
    }
    if request.version() == Version::HTTP_2 && !extended::is_for_one_host(request) {
        return Err(Notice::BadRequest);
    }
    if !request.body().is_end_stream() && !headers::is_framed_clearly(request.headers()) {
        return Err(Notice::BadRequest);
    }
    let host = Host::of(request.uri(), request.headers()).map_err(|_| Notice::BadRequest)?;
    let app = visitor.worker.routes.load().find(&host.name()).map(Arc::clone);
    let seen = Seen::of(request.headers());
    let probed = if seen.has(Seen::PROBE) { request.headers().get(PROBE_HEADER) } else { None };
    let probed = probed.and_then(|value| visitor.worker.probe_secret.replica(value));
    let (app, target) = match probed {
        None => {
            let app = app.ok_or(Notice::UnknownHost)?;
            let wanted = app.sticky.as_ref().and_then(|sticky| sticky.wanted(request.headers()));
            let target = wanted.map_or(Target::Any, |backend| Target::First(Arc::clone(backend)));
            (app, target)
        }
        Some(replica) => {
            let app = app.ok_or(Notice::ProbeMiss)?;
            let found = app.replica(replica).map(Arc::clone).ok_or(Notice::ProbeMiss)?;
            (app, Target::Only(found))
        }
    };
    Ok(Admitted { app, host: host.written, target, seen })
}

/// Answers a request that belongs to no app.
fn refuse(visitor: &Visitor, request: &Request<Incoming>, notice: Notice) -> Response<Reply> {
    visitor.watch.enter(Phase::Idle);
    let id = visitor.worker.new_request_id();
    let mut response = notice.answer(wants_html(request.headers()), Some(&id));
    if matches!(notice, Notice::BadRequest | Notice::NoTunnel) && request.version() <= Version::HTTP_11 {
        // Nobody can be sure where the next request begins.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if notice == Notice::ProbeMiss {
        response.headers_mut().insert(PROBE_MISS_HEADER, HeaderValue::from_static("1"));
    }
    response.map(|body| Reply::Own(Some(body)))
}

impl Admitted {
    /// Makes the request fit for a replica, unless its app takes none.
    fn begin(mut self, visitor: &Visitor, request: Request<Incoming>) -> Step {
        let html = self.seen.has(Seen::ACCEPT) && wants_html(request.headers());
        let (mut parts, incoming) = request.into_parts();
        let extended = parts.version == Version::HTTP_2 && parts.method == Method::CONNECT;
        if parts.version == Version::HTTP_2 {
            extended::to_http1(&mut parts, || visitor.worker.websocket_key());
            self.seen = Seen::of(&parts.headers);
        }
        let upgrade = self.seen.has(Seen::UPGRADE) && headers::asks_upgrade(&parts.headers);
        let near = upgrade.then(|| parts.extensions.remove::<OnUpgrade>()).flatten();
        let mut exchange = self.exchange(visitor, &mut parts, near.is_some());
        match closed(&self.app, &self.target) {
            Some(code) => Step::Answer(fail(exchange, code, html)),
            None => {
                let expects = self.seen.has(Seen::EXPECT) && headers::expects_continue(&parts.headers);
                exchange.put_request(outgoing(visitor, parts, incoming, expects));
                Step::Forward(exchange, Passage { target: self.target, near, html, extended })
            }
        }
    }

    /// Prepares the head of the request and begins its exchange.
    fn exchange(&self, visitor: &Visitor, parts: &mut Parts, upgrade: bool) -> Box<Exchange> {
        let given = if self.seen.has(Seen::REQUEST_ID) { parts.headers.get(X_REQUEST_ID) } else { None };
        let sane = given.filter(|id| request_id::is_sane(id)).cloned();
        let id = sane.unwrap_or_else(|| visitor.worker.new_request_id());
        let origin = Origin {
            address: &visitor.address,
            port: visitor.port(),
            protocol: visitor.protocol,
            trusted: visitor.trusted,
            request_id: &id,
            arrived: &visitor.worker.wall_clock(),
        };
        let fwd = headers::to_replica(&mut parts.headers, self.seen, &origin, upgrade);
        if parts.uri.authority().is_some() {
            parts.headers.insert(HOST, self.host.clone());
            parts.uri = parts.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
        }
        let line = exchange::line(parts, self.host.clone(), id, fwd, visitor.protocol);
        let probe = matches!(self.target, Target::Only(_));
        Exchange::new(Arc::clone(&self.app), Arc::clone(&visitor.watch), line, probe)
    }
}

/// Returns why an app takes no requests; a probe is let through.
fn closed(app: &AppRoute, target: &Target) -> Option<Code> {
    match (target, app.state) {
        (Target::Only(_), _) => None,
        (_, AppState::Maintenance) => Some(Code::H80),
        (_, AppState::Crashed) => Some(Code::H10),
        (_, AppState::NoWeb) => Some(Code::H14),
        (_, AppState::Serving) => app.replicas.is_empty().then_some(Code::H14),
    }
}

/// Returns the request as it goes to the replica.
fn outgoing(visitor: &Visitor, mut parts: Parts, incoming: Incoming, expects: bool) -> Request<Upload> {
    // The library sends no `100 Continue` over HTTP/2; whoever waits for it there sends the body all the same.
    let gated = parts.version == Version::HTTP_11;
    parts.version = Version::HTTP_11;
    let mut body = Upload::new(incoming, &visitor.watch);
    if expects && (!gated || body.is_end_stream()) {
        parts.headers.remove(EXPECT);
    } else if expects {
        visitor.watch.enter(Phase::Wait);
        let signal = body.wait_for_continue(visitor.worker.timeouts.continue_);
        let mut request = Request::from_parts(parts, body);
        hyper::ext::on_informational(&mut request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                signal.open();
            }
        });
        return request;
    }
    Request::from_parts(parts, body)
}

/// Passes a replica's answer on.
fn relay(
    visitor: &Rc<Visitor>,
    mut exchange: Box<Exchange>,
    mut response: Response<Incoming>,
    passage: Passage,
) -> Response<Reply> {
    stick(visitor, &exchange, response.headers_mut(), &passage.target);
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switching {
        let (Some(near), Some(link)) = (passage.near, exchange.take_link()) else {
            return fail(exchange, Code::H17, false);
        };
        exchange.answered(response.status());
        headers::to_visitor(response.headers_mut(), true);
        let websocket = headers::is_websocket(response.headers());
        let tunnel = Tunnel { visitor: near, replica: hyper::upgrade::on(&mut response), link, websocket };
        tokio::task::spawn_local(tunnel.carry(Rc::clone(visitor), exchange));
        if passage.extended {
            extended::to_http2(&mut response);
        }
        return response.map(|_| Reply::Own(None));
    }
    if passage.extended && response.status().is_success() {
        // It would pass for a tunnel.
        return fail(exchange, Code::H17, false);
    }
    let (mut parts, incoming) = response.into_parts();
    headers::to_visitor(&mut parts.headers, false);
    parts.version = Version::HTTP_11;
    exchange.answered(parts.status);
    visitor.watch.enter(Phase::Respond);
    let download = Download::new(incoming, exchange, Rc::clone(&visitor.worker.pool), visitor.is_stream());
    Response::from_parts(parts, Reply::Replica(download))
}

/// Lets the visitor come back to the replica that answers, unless that is the one the visitor came back to.
fn stick(visitor: &Visitor, exchange: &Exchange, headers: &mut HeaderMap, target: &Target) {
    let (Some(sticky), Some(backend)) = (&exchange.app().sticky, exchange.backend()) else { return };
    let came_back = matches!(target, Target::First(wanted) if wanted.serial() == backend.serial());
    if let (false, Some(cookie)) = (came_back, sticky.cookie(backend, visitor.protocol == "https")) {
        headers.append(SET_COOKIE, cookie.clone());
    }
}

/// Tells the visitor that there is no answer, and the owner why.
fn fail(exchange: Box<Exchange>, code: Code, html: bool) -> Response<Reply> {
    let notice = match code {
        Code::H80 => Notice::Maintenance,
        Code::H14 => Notice::NotRunning,
        Code::H26 => Notice::BadRequest,
        Code::H28 => Notice::TooSlow,
        _ => Notice::Unavailable,
    };
    let answer = notice.answer(html, exchange.request_id());
    exchange.finish(Some(code));
    answer.map(|body| Reply::Own(Some(body)))
}
