//! TCP connections: many, broken, slow.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use super::client::{NOERROR, Tcp, add_a, frames, query, signed};
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

/// Whether the server has closed; it says nothing else.
#[track_caller]
fn is_closed(client: &mut Tcp) -> bool {
    client.0.set_nonblocking(true).unwrap();
    let read = client.0.read(&mut [0]);
    client.0.set_nonblocking(false).unwrap();
    match read {
        Ok(0) => true,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        Ok(_) => panic!("an answer to nothing"),
    }
}

#[test]
fn one_address_has_its_share_of_connections_and_loses_its_least_used_for_another() {
    let house = house(TcpLimits {
        connections_per_address_max: 2,
        ..TcpLimits::default()
    });
    let mut first = Tcp::to(house.address());
    assert_eq!(first.ask(api(1)).id, 1);
    let mut second = Tcp::to(house.address());
    assert_eq!(second.ask(api(2)).id, 2);
    assert_eq!(first.ask(api(3)).id, 3, "used later than the second");
    let mut third = Tcp::to(house.address());
    assert_eq!(third.ask(api(4)).id, 4);
    assert!(second.receive().is_none(), "closed");
    for id in 5..50 {
        assert_eq!(first.ask(api(id)).id, id);
        assert_eq!(third.ask(api(id)).id, id);
    }
}

#[test]
fn those_who_connect_and_say_nothing_keep_nobody_out() {
    let house = house(TcpLimits {
        connections_max: 20,
        connections_per_address_max: 1000,
        ..TcpLimits::default()
    });
    let mut mute: Vec<Tcp> = (0..50).map(|_| Tcp::to(house.address())).collect();
    // Begun, and never finished: no better than nothing.
    for client in &mut mute {
        let _ = client.0.write_all(b"\0");
    }
    let mut honest = Tcp::to(house.address());
    for id in 0..50 {
        assert_eq!(honest.ask(api(id)).id, id);
        mute.push(Tcp::to(house.address()));
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    let open = |mute: &mut Vec<Tcp>| {
        mute.iter_mut()
            .map(is_closed)
            .filter(|closed| !closed)
            .count()
    };
    while open(&mut mute) > 19 {
        assert!(Instant::now() < deadline, "never closed");
    }
    assert_eq!(honest.ask(api(50)).id, 50);
}

#[test]
fn a_connection_in_use_ends_when_it_has_lived_long_enough() {
    let house = house(TcpLimits {
        life: Duration::from_millis(500),
        ..TcpLimits::default()
    });
    let began = Instant::now();
    let mut client = Tcp::to(house.address());
    let mut answered = 0;
    while client.0.write_all(&frames(&[api(answered)])).is_ok() {
        match client.receive() {
            Some(response) => assert_eq!(response.id, answered),
            None => break,
        }
        answered += 1;
        assert!(began.elapsed() < Duration::from_secs(10), "never closed");
    }
    assert!(answered > 0 && began.elapsed() >= Duration::from_millis(500));
    assert_eq!(Tcp::to(house.address()).ask(api(1)).rcode, NOERROR);
}

#[test]
fn a_client_that_reads_octet_by_octet_gets_every_answer_whole() {
    let house = House::open();
    let mut client = Tcp::to(house.address());
    client.send(
        &(0..4)
            .map(|id| query(id, "big.example.com.", TXT))
            .collect::<Vec<_>>(),
    );
    client.0.shutdown(Shutdown::Write).unwrap();
    let (mut octets, mut octet) = (Vec::new(), [0]);
    while client.0.read(&mut octet).unwrap() == 1 {
        octets.push(octet[0]);
    }
    for id in 0..4u16 {
        let len = usize::from(u16::from_be_bytes([octets[0], octets[1]]));
        assert!(len > 40_000);
        assert_eq!(octets[2..4], id.to_be_bytes());
        octets.drain(..2 + len);
    }
    assert!(octets.is_empty());
}

#[test]
fn an_update_that_waits_does_not_stop_the_queries_behind_it() {
    let house = House::open();
    let mut client = Tcp::to(house.address());
    let mut messages = vec![signed(add_a(1000, "new.example.com.", 7), "writer.")];
    messages.extend((0..15).map(api));
    client.send(&messages);
    let ids: Vec<u16> = (0..16)
        .map(|_| client.receive().expect("an answer").id)
        .collect();
    // Out of order or not (RFC 7766 §6.2.1.1), none is lost and the queries keep theirs.
    let queries: Vec<u16> = ids.iter().copied().filter(|&id| id != 1000).collect();
    assert_eq!(queries, (0..15).collect::<Vec<_>>());
    assert!(ids.contains(&1000));
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
