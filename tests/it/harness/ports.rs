//! Ports for servers.
//!
//! Not those that the system gives for port 0: dig takes its own port from the same range, with the
//! option SO_REUSEPORT, which our sockets have too. Now and then it would get the port of a server,
//! and the question that was meant for the server.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 10_000;
static TRIED: AtomicU16 = AtomicU16::new(0);

/// A port that is free at this moment, over UDP and TCP, on both loopbacks.
pub fn free() -> u16 {
    let count = first_of_clients().saturating_sub(FIRST).max(1000);
    // Another run of the tests starts elsewhere.
    let start = (std::process::id() % u32::from(count)) as u16;
    for _ in 0..count {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(tried) % count;
        if is_free(port) {
            return port;
        }
    }
    panic!("no port is free between {FIRST} and {}", FIRST + count);
}

fn first_of_clients() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok());
    first.unwrap_or(32_768)
}

/// Whether nobody has it: with SO_REUSEPORT, binding it would not tell.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
        && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        && UdpSocket::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
}
