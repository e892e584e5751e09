//! Datagrams in and out of a socket: received in batches, each answered from the address it was
//! sent to.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use nix::libc::{in_addr, in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage,
    recvmmsg, sendmsg,
};

/// Datagrams taken with one system call.
const BATCH: usize = 32;
/// The largest there is. Pages of a buffer that no datagram reaches are never touched.
const DATAGRAM_OCTETS: usize = 65535;

/// A UDP socket, and whether it is bound to a wildcard address.
pub(super) struct Door {
    pub socket: UdpSocket,
    pub wildcard: bool,
}

/// Whether a datagram came in a batch of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    Alone,
    WithOthers,
}

/// Whom a reply goes to, and which of our addresses it comes from.
#[derive(Clone, Copy)]
pub(super) struct Envelope {
    pub peer: SocketAddr,
    local: Local,
}

#[derive(Clone, Copy)]
enum Local {
    /// The one the socket is bound to.
    Bound,
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

/// Buffers for the datagrams of one batch.
pub(super) struct Inbox {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: [Vec<u8>; BATCH],
}

impl Inbox {
    pub fn new(door: &Door) -> Inbox {
        let is_ipv6 = || door.socket.local_addr().is_ok_and(|local| local.is_ipv6());
        // Exactly what one control message takes: the system leaves in the headers the space it
        // used, which is what it is offered the next time.
        let control = match door.wildcard {
            false => None,
            true if is_ipv6() => Some(nix::cmsg_space!(in6_pktinfo)),
            true => Some(nix::cmsg_space!(in_pktinfo)),
        };
        Inbox {
            headers: MultiHeaders::preallocate(BATCH, control),
            buffers: std::array::from_fn(|_| vec![0; DATAGRAM_OCTETS]),
        }
    }

    /// Waits for a datagram, as long as the socket's timeout or not at all as `flags` say, and
    /// passes it and those that have come with it to `each`.
    pub fn receive(
        &mut self,
        door: &Door,
        flags: MsgFlags,
        mut each: impl FnMut(&[u8], Envelope, Arrival),
    ) -> nix::Result<()> {
        let mut buffers = self.buffers.each_mut().map(|b| [IoSliceMut::new(b)]);
        let fd = door.socket.as_raw_fd();
        let received = recvmmsg(fd, &mut self.headers, buffers.iter_mut(), flags, None)?;
        let mut received = received.peekable();
        let mut arrival = None;
        while let Some(datagram) = received.next() {
            let arrival = *arrival.get_or_insert_with(|| match received.peek() {
                None => Arrival::Alone,
                Some(_) => Arrival::WithOthers,
            });
            if let Some(envelope) = envelope(&datagram, door.wildcard) {
                each(
                    datagram.iovs().next().unwrap_or_default(),
                    envelope,
                    arrival,
                );
            }
        }
        Ok(())
    }
}

fn envelope(datagram: &RecvMsg<SockaddrStorage>, wildcard: bool) -> Option<Envelope> {
    let peer = socket_address(datagram.address.as_ref()?)?;
    // Nobody can receive at port 0; the source is forged.
    if peer.port() == 0 {
        return None;
    }
    let local = match wildcard {
        true => datagram.cmsgs().ok()?.find_map(local_address)?,
        false => Local::Bound,
    };
    Some(Envelope { peer, local })
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddrV4::from(*v4).into());
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddrV6::from(*v6).into())
}

/// Our address as the reply is to carry it. The interface is left to the routing table, except
/// for link-local addresses, which mean nothing without one.
fn local_address(message: ControlMessageOwned) -> Option<Local> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Local::V4(in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: info.ipi_spec_dst,
            ipi_addr: in_addr { s_addr: 0 },
        })),
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let octets = info.ipi6_addr.s6_addr;
            let link_local = octets[0] == 0xFE && octets[1] & 0xC0 == 0x80;
            Some(Local::V6(in6_pktinfo {
                ipi6_addr: info.ipi6_addr,
                ipi6_ifindex: if link_local { info.ipi6_ifindex } else { 0 },
            }))
        }
        _ => None,
    }
}

/// Sends a reply without waiting: where the system has no room, it is lost, as datagrams may be.
///
/// One call for each: `sendmmsg` as nix has it gives all datagrams of a batch the same source
/// address, and cannot tell how many went out without reading addresses that nobody wrote.
pub(super) fn send(socket: &UdpSocket, envelope: &Envelope, reply: &[u8]) -> nix::Result<()> {
    let peer = SockaddrStorage::from(envelope.peer);
    let parts = [IoSlice::new(reply)];
    let send = |control: &[ControlMessage]| {
        let fd = socket.as_raw_fd();
        sendmsg(fd, &parts, control, MsgFlags::MSG_DONTWAIT, Some(&peer)).map(drop)
    };
    match &envelope.local {
        Local::Bound => send(&[]),
        Local::V4(info) => send(&[ControlMessage::Ipv4PacketInfo(info)]),
        Local::V6(info) => send(&[ControlMessage::Ipv6PacketInfo(info)]),
    }
}
