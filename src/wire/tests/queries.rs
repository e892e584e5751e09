//! Plain queries, addresses and ports.

use std::collections::BTreeSet;

use super::client::{NOERROR, Tcp, Udp, query};
use super::{House, LOOPBACK, settings};
use crate::wire::Doors;

const A: u16 = 1;
const TXT: u16 = 16;

#[test]
fn every_datagram_of_a_burst_is_answered() {
    let house = House::open();
    let client = Udp::to(house.address());
    for id in 0..200 {
        client.send(&query(id, "api.example.com.", A));
    }
    let ids: BTreeSet<u16> = (0..200)
        .map(|_| {
            let response = client.receive();
            assert_eq!((response.rcode, response.answers), (NOERROR, 1));
            response.id
        })
        .collect();
    assert_eq!(ids, (0..200).collect());
}

#[test]
fn udp_and_tcp_answer_at_the_same_port_of_ipv4_and_ipv6() {
    let house = House::with(&settings(&[LOOPBACK, "[::1]:0"]));
    assert_eq!(house.addresses.len(), 2);
    for &address in &house.addresses {
        assert_ne!(address.port(), 0);
        let request = query(7, "api.example.com.", A);
        let over_udp = Udp::to(address).ask(&request);
        let over_tcp = Tcp::to(address).ask(request);
        assert_eq!(over_udp, over_tcp);
        assert_eq!((over_udp.id, over_udp.answers), (7, 1));
    }
}

#[test]
fn a_wildcard_listener_answers_from_the_address_that_was_asked() {
    let house = House::with(&settings(&["0.0.0.0:0", "[::]:0"]));
    for (listening, asked) in house.addresses.iter().zip(["127.0.0.2", "::1"]) {
        let asked = std::net::SocketAddr::new(asked.parse().unwrap(), listening.port());
        // A connected socket hears nothing from any other address.
        let client = Udp::to(asked);
        for id in 0..40 {
            assert_eq!(client.ask(&query(id, "api.example.com.", A)).id, id);
        }
    }
}

#[test]
fn what_is_too_large_for_a_datagram_is_truncated_and_whole_over_tcp() {
    let house = House::open();
    let request = query(1, "big.example.com.", TXT);
    let over_udp = Udp::to(house.address()).ask(&request);
    assert!(over_udp.truncated && over_udp.octets.len() <= 512);
    let over_tcp = Tcp::to(house.address()).ask(request);
    assert_eq!((over_tcp.truncated, over_tcp.answers), (false, 200));
}

#[test]
fn what_is_no_request_gets_no_reply_and_harms_nobody() {
    let house = House::open();
    let client = Udp::to(house.address());
    let mut reply = query(1, "api.example.com.", A);
    reply[2] |= 0x80;
    for nothing in [&[][..], &[1, 2, 3], &reply] {
        client.send(nothing);
    }
    assert_eq!(client.ask(&query(2, "api.example.com.", A)).id, 2);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let house = House::open();
    let address = house.address().to_string();
    let error = Doors::bind(&settings(&[LOOPBACK, &address])).err().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn doors_that_were_stopped_leave_their_ports() {
    let mut house = House::open();
    Tcp::to(house.address()).ask(query(1, "api.example.com.", A));
    house.stop_doors();
    Doors::bind(&settings(&[&house.address().to_string()])).unwrap();
}
