//! Carries the bytes of another protocol, such as WebSocket, after a replica agreed to it, until one end is over, or
//! the replica or the router leaves.

use crate::clock;
use crate::code::Code;
use crate::exchange::Exchange;
use crate::frames;
use crate::pool::Link;
use crate::pump::Pump;
use crate::visitor::Visitor;
use crate::watch::{Alarm, Phase};
use crate::worker::Order;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep_until;

/// How long the two ends of a tunnel that is closed may take to say goodbye.
pub const GOODBYE: Duration = Duration::from_secs(1);

/// The two ends of a tunnel, as soon as HTTP is over on them.
pub(crate) struct Tunnel {
    /// The visitor's end.
    pub(crate) visitor: OnUpgrade,
    /// The replica's end.
    pub(crate) replica: OnUpgrade,
    /// What the replica's end comes from.
    pub(crate) link: Link,
    /// Whether WebSocket is spoken.
    pub(crate) websocket: bool,
}

impl Tunnel {
    /// Copies both ways until both ends are closed, one breaks, nothing moves for too long, or it is time to leave.
    pub(crate) async fn carry(self, visitor: Rc<Visitor>, mut exchange: Box<Exchange>) {
        let leaves = exchange.tunnel();
        let Ok((near, far)) = futures::try_join!(self.visitor, self.replica) else { return };
        drop(self.link);
        visitor.watch.enter(Phase::Tunnel);
        let mask = visitor.worker.mask();
        let mut ends = Ends {
            near: TokioIo::new(near),
            far: TokioIo::new(far),
            down: Pump::new(self.websocket.then(frames::goodbye)),
            up: Pump::new(self.websocket.then(|| frames::masked_goodbye(mask))),
            ending: false,
        };
        let mut alarm = Alarm::new();
        let mut leaving = pin!(leaving(leaves, visitor.worker.orders.clone()));
        let mut goodbye = pin!(goodbye());
        let code = poll_fn(|cx| {
            let now = clock::tick();
            if !ends.ending && leaving.as_mut().poll(cx).is_ready() {
                ends.end();
                goodbye.set(self::goodbye());
            }
            let over = ends.poll(cx) || (ends.ending && goodbye.as_mut().poll(cx).is_ready());
            match over {
                true => Poll::Ready(None),
                false => alarm.poll(cx, &visitor.watch, now).map(|()| Some(Code::H15)),
            }
        })
        .await;
        exchange.carried(usize::try_from(ends.down.moved()).unwrap_or(usize::MAX));
        exchange.finish(code);
    }
}

/// Both ends and both directions of a tunnel.
struct Ends {
    near: TokioIo<Upgraded>,
    far: TokioIo<Upgraded>,
    down: Pump,
    up: Pump,
    ending: bool,
}

impl Ends {
    fn end(&mut self) {
        self.ending = true;
        self.down.end();
        self.up.end();
    }

    /// Moves what can be moved and returns whether the tunnel is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let up = self.up.poll(cx, &mut self.near, &mut self.far, self.ending);
        let down = self.down.poll(cx, &mut self.far, &mut self.near, self.ending);
        match (up, down) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => true,
            // The other end may still be told why.
            (Poll::Ready(Err(_)), Poll::Pending) | (Poll::Pending, Poll::Ready(Err(_))) => !self.ending,
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => true,
            (Poll::Pending, _) | (_, Poll::Pending) => false,
        }
    }
}

fn goodbye() -> Pin<Box<tokio::time::Sleep>> {
    Box::pin(tokio::time::sleep(GOODBYE))
}

/// Returns when it is time for a tunnel to end, because its replica leaves or the router stops.
async fn leaving(replica: Option<watch::Receiver<Option<Instant>>>, mut orders: watch::Receiver<Order>) {
    let Some(mut replica) = replica else { return pending().await };
    loop {
        let stops = match *orders.borrow_and_update() {
            Order::Serve => None,
            Order::Finish(deadline) => deadline.into_std().checked_sub(GOODBYE),
        };
        let leaves = *replica.borrow_and_update();
        let Some(at) = stops.into_iter().chain(leaves).min() else {
            tokio::select! {
                told = orders.changed() => if told.is_err() { return },
                told = replica.changed() => if told.is_err() { return },
            }
            continue;
        };
        tokio::select! {
            () = sleep_until(at.into()) => return,
            told = orders.changed() => if told.is_err() { return },
            told = replica.changed() => if told.is_err() { return },
        }
    }
}
