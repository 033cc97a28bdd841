//! Carries the bytes of another protocol, such as WebSocket, after a replica agreed to it.

use crate::code::Code;
use crate::exchange::Exchange;
use crate::pool::Link;
use crate::visitor::Visitor;
use crate::watch::{Alarm, Phase};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::rc::Rc;
use tokio::io::copy_bidirectional;

/// The two ends of a tunnel, as soon as HTTP is over on them.
pub(crate) struct Tunnel {
    /// The visitor's end.
    pub(crate) visitor: OnUpgrade,
    /// The replica's end.
    pub(crate) replica: OnUpgrade,
    /// What the replica's end comes from.
    pub(crate) link: Link,
}

impl Tunnel {
    /// Copies both ways until both ends are closed, one breaks, or nothing moves for too long.
    pub(crate) async fn carry(self, visitor: Rc<Visitor>, mut exchange: Box<Exchange>) {
        let Ok((near, far)) = futures::try_join!(self.visitor, self.replica) else { return };
        drop(self.link);
        visitor.watch.enter(Phase::Tunnel);
        let (mut near, mut far) = (TokioIo::new(near), TokioIo::new(far));
        let mut alarm = Alarm::new();
        tokio::select! {
            copied = copy_bidirectional(&mut near, &mut far) => {
                if let Ok((_, bytes)) = copied {
                    exchange.carried(usize::try_from(bytes).unwrap_or(usize::MAX));
                }
                exchange.finish(None);
            }
            () = poll_fn(|cx| alarm.poll(cx, &visitor.watch)) => exchange.finish(Some(Code::H15)),
        }
    }
}
