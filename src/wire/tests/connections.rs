//! TCP connections: many, broken, slow.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::client::{NOERROR, Tcp, frames, query};
use super::{House, LOOPBACK, settings};
use crate::wire::TcpLimits;

const A: u16 = 1;
const TXT: u16 = 16;

fn house(tcp: TcpLimits) -> House {
    let mut settings = settings(&[LOOPBACK]);
    settings.tcp = tcp;
    House::with(&settings)
}

/// With messages that are begun, and with answers that are not taken.
fn impatient() -> TcpLimits {
    TcpLimits {
        message: Duration::from_millis(200),
        ..TcpLimits::default()
    }
}

fn api(id: u16) -> Vec<u8> {
    query(id, "api.example.com.", A)
}

#[test]
fn pipelined_queries_are_all_answered_after_a_half_close() {
    let house = House::open();
    let mut client = Tcp::to(house.address());
    client.send(&(0..100).map(api).collect::<Vec<_>>());
    client.0.shutdown(Shutdown::Write).unwrap();
    for id in 0..100 {
        assert_eq!(client.receive().expect("an answer").id, id);
    }
    assert!(client.receive().is_none(), "then the server closes too");
}

#[test]
fn a_message_that_comes_octet_by_octet_is_answered() {
    let house = House::open();
    let mut client = Tcp::to(house.address());
    client.0.set_nodelay(true).unwrap();
    for octet in frames(&[api(5)]) {
        client.0.write_all(&[octet]).unwrap();
    }
    assert_eq!(client.receive().unwrap().id, 5);
}

#[test]
fn a_length_that_lies_costs_that_connection_alone() {
    let house = house(impatient());
    let mut honest = Tcp::to(house.address());
    let (mut long, mut short) = (Tcp::to(house.address()), Tcp::to(house.address()));
    long.0.write_all(b"\xFF\xFFnot as much").unwrap();
    short.0.write_all(b"\x00\x03abc").unwrap();
    assert_eq!(honest.ask(api(1)).rcode, NOERROR);
    assert!(long.receive().is_none());
    assert!(short.receive().is_none());
    assert_eq!(honest.ask(api(2)).rcode, NOERROR);
}

#[test]
fn an_idle_connection_is_closed_and_one_in_use_is_not() {
    let house = house(TcpLimits {
        idle: Duration::from_secs(1),
        ..TcpLimits::default()
    });
    let (mut idle, mut used) = (Tcp::to(house.address()), Tcp::to(house.address()));
    idle.0.set_nonblocking(true).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        assert_eq!(used.ask(api(1)).rcode, NOERROR);
        match idle.0.read(&mut [0]) {
            Ok(0) => break,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            other => panic!("{other:?}"),
        }
        assert!(Instant::now() < deadline, "never closed");
    }
}

#[test]
fn one_address_gets_its_share_of_connections_and_again_when_it_has_closed_one() {
    let house = house(TcpLimits {
        connections_per_address_max: 2,
        ..TcpLimits::default()
    });
    let mut first = Tcp::to(house.address());
    let mut second = Tcp::to(house.address());
    assert_eq!(first.ask(api(1)).id, 1);
    assert_eq!(second.ask(api(2)).id, 2);
    assert!(Tcp::to(house.address()).receive().is_none());
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut third = Tcp::to(house.address());
        // Refused, the server may reset while we write.
        let written = third.0.write_all(&frames(&[api(3)]));
        if written.is_ok() && third.receive().is_some_and(|response| response.id == 3) {
            break;
        }
        assert!(Instant::now() < deadline, "the seat was not given back");
    }
    assert_eq!(second.ask(api(4)).id, 4);
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_others_are_served() {
    let house = house(impatient());
    let mut glutton = Tcp::to(house.address());
    let request = frames(&[query(1, "big.example.com.", TXT)]);
    let deadline = Instant::now() + Duration::from_secs(30);
    // Some 50 KB for each question: the buffers of both sides are full after a few hundred.
    while glutton.0.write_all(&request).is_ok() {
        assert!(Instant::now() < deadline, "never dropped");
    }
    assert_eq!(Tcp::to(house.address()).ask(api(1)).rcode, NOERROR);
}

#[test]
fn a_connection_that_waits_for_nothing_ends_when_the_doors_stop() {
    let mut house = House::open();
    let mut client = Tcp::to(house.address());
    assert_eq!(client.ask(api(1)).id, 1);
    let began = Instant::now();
    house.stop_doors();
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(client.receive().is_none());
}
