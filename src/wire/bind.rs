//! Sockets of one listen address.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::datagram::Door;

/// How often a thread that receives nothing looks whether it is to stop.
const RECEIVE_WAIT: Duration = Duration::from_millis(200);
/// For bursts; the system gives less where its own limit is lower.
const UDP_BUFFER_OCTETS: usize = 1 << 20;
const TCP_BACKLOG: i32 = 1024;
/// A port free for TCP may be taken for UDP.
const ANY_PORT_ATTEMPTS: usize = 32;

pub(super) struct Bound {
    pub address: SocketAddr,
    pub udp: Vec<Door>,
    pub tcp: TcpListener,
}

/// Binds an address for TCP and, `udp_threads` times, for UDP.
pub(super) fn bind(address: SocketAddr, udp_threads: usize) -> io::Result<Bound> {
    let mut attempts = ANY_PORT_ATTEMPTS;
    loop {
        attempts -= 1;
        match bind_once(address, udp_threads) {
            Err(error)
                if address.port() == 0
                    && error.kind() == io::ErrorKind::AddrInUse
                    && attempts > 0 => {}
            result => return result,
        }
    }
}

fn bind_once(address: SocketAddr, udp_threads: usize) -> io::Result<Bound> {
    // TCP first: its port has one owner, while SO_REUSEPORT would let a second server of the same
    // user take half of the datagrams without a word.
    let tcp = bind_tcp(address).map_err(|error| named("TCP", address, error))?;
    let address = SocketAddr::new(address.ip(), tcp.local_addr()?.port());
    let udp = (0..udp_threads)
        .map(|_| bind_udp(address))
        .collect::<io::Result<_>>()
        .map_err(|error| named("UDP", address, error))?;
    Ok(Bound { address, udp, tcp })
}

fn named(transport: &str, address: SocketAddr, error: io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE)"
        }
        io::ErrorKind::AddrNotAvailable => " (no interface of this machine has that address)",
        _ => "",
    };
    io::Error::new(
        error.kind(),
        format!("cannot listen on {address} over {transport}: {error}{hint}"),
    )
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // So that a restart need not wait for the connections of the server before.
    socket.set_reuse_address(address.port() != 0)?;
    socket.bind(&address.into())?;
    socket.listen(TCP_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_udp(address: SocketAddr) -> io::Result<Door> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    socket.set_recv_buffer_size(UDP_BUFFER_OCTETS)?;
    socket.set_send_buffer_size(UDP_BUFFER_OCTETS)?;
    socket.set_read_timeout(Some(RECEIVE_WAIT))?;
    // A reply from another address than the one asked is thrown away by the client.
    let wildcard = address.ip().is_unspecified();
    if wildcard && address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else if wildcard {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    socket.bind(&address.into())?;
    let socket: UdpSocket = socket.into();
    Ok(Door { socket, wildcard })
}
