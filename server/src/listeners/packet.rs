//! What the server and the keeper of its sockets say to each other: packets of one byte, and sockets with them. A server
//! of one version talks to a keeper of another: these bytes never change their meaning.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Most sockets in one packet; the kernel takes 253.
const SOCKETS_MAX: usize = 200;

/// One packet.
#[derive(Debug)]
pub(super) enum Packet {
    /// Here are sockets; there may be more.
    Sockets(Vec<OwnedFd>),
    /// These were all.
    All,
    /// Nobody will come back for the sockets.
    End,
}

/// Sends sockets, and that these were all.
pub(super) fn send_all(line: impl AsFd, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    for some in sockets.chunks(SOCKETS_MAX) {
        send(&line, b'S', some)?;
    }
    send(&line, b'A', &[])
}

/// Sends that nobody will come back.
pub(super) fn send_end(line: impl AsFd) -> io::Result<()> {
    send(line, b'E', &[])
}

fn send(line: impl AsFd, byte: u8, sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(io::Error::other("too many sockets for one packet"));
    }
    sendmsg(line, &[IoSlice::new(&[byte])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Returns the next packet, or none when the other side is gone.
pub(super) fn receive(line: impl AsFd) -> io::Result<Option<Packet>> {
    let mut byte = [0];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(line, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            sockets.extend(some);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    match byte[0] {
        // A process that may open no more files gets fewer sockets than were sent.
        b'S' if received.flags.contains(ReturnFlags::CTRUNC) => {
            Err(io::Error::other("sockets were lost on the way"))
        }
        b'S' => Ok(Some(Packet::Sockets(sockets))),
        b'A' => Ok(Some(Packet::All)),
        b'E' => Ok(Some(Packet::End)),
        _ => Err(io::Error::other("that is no packet of a keeper of sockets")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn sockets_arrive_in_their_order_however_many_they_are() {
        let (near, far) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let sent: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let many: Vec<_> = sent.iter().cycle().take(SOCKETS_MAX + 3).map(AsFd::as_fd).collect();
        send_all(&near, &many).unwrap();
        send_end(&near).unwrap();
        let mut arrived = Vec::new();
        while let Some(Packet::Sockets(some)) = receive(&far).unwrap() {
            arrived.extend(some.into_iter().map(TcpListener::from));
        }
        let ports = |sockets: &[TcpListener]| -> Vec<u16> {
            sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect()
        };
        assert_eq!(arrived.len(), SOCKETS_MAX + 3);
        assert_eq!(ports(&arrived[..3]), ports(&sent));
        assert!(matches!(receive(&far).unwrap(), Some(Packet::End)));
        drop(near);
        assert!(receive(&far).unwrap().is_none());
    }
}
